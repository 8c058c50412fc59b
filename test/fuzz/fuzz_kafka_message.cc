// Any bytes as a message of Kafka: refused, or one that comes back when it is written and read again. Memory stays in
// proportion to what was received. The first byte chooses the message, the second its version; a first byte of 255
// makes the rest a frame with its header.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "kafka/message.h"
#include "kafka/message_fixture.h"

namespace millrace::kafka {
namespace {

using Input = std::span<const std::byte>;

constexpr std::size_t kMessages = std::tuple_size_v<AllMessages>;

template <class Message>
void Try(std::int16_t version, Input bytes) {
  Arena arena;
  std::optional<Result<Message>> decoded;
  {
    const AllocationMeter meter;
    WireReader in(bytes, arena);
    decoded = Decode<Message>(in, version);
    meter.ExpectPeakWithin(AllocationBound(bytes.size()));
  }
  if (!*decoded) return;
  const std::vector<std::byte> written = Body(**decoded, version);
  Arena again;
  WireReader in(written, again);
  const auto read = Decode<Message>(in, version);
  // What was read from tags that are set to their defaults is shorter when written, and so allowed less memory.
  if (!read) MR_CHECK(read.error().message().ends_with("four times its bytes"));
  if (read) MR_CHECK(in.remaining() == 0 && Dump(*read, version) == Dump(**decoded, version));
}

template <std::size_t kIndex = 0>
void TryMessage(std::size_t index, std::uint8_t version, Input bytes) {
  if constexpr (kIndex < kMessages) {
    if (index != kIndex) return TryMessage<kIndex + 1>(index, version, bytes);
    using Message = std::tuple_element_t<kIndex, AllMessages>;
    const int count = Message::kVersions.last - Message::kVersions.first + 1;
    Try<Message>(static_cast<std::int16_t>(Message::kVersions.first + version % count), bytes);
  }
}

void TryHeader(Input frame) {
  const AllocationMeter meter;
  Arena arena;
  WireReader in(frame, arena);
  const auto header = ReadRequestHeader(in);
  if (header) MR_CHECK(in.position() <= frame.size());
  meter.ExpectPeakWithin(AllocationBound(frame.size()));
}

}  // namespace
}  // namespace millrace::kafka

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace::kafka;
  if (size < 2) return 0;
  const auto bytes = std::as_bytes(std::span(input, size)).subspan(2);
  if (input[0] == 255) {
    TryHeader(bytes);
  } else {
    TryMessage(input[0] % kMessages, input[1], bytes);
  }
  return 0;
}
