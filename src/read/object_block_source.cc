#include "read/object_block_source.h"

#include <fmt/format.h>

#include "store/metered_object_store.h"

namespace millrace {

void ReadTrace::CountRequest(const std::string& object, ByteRange range) {
  ++explanation.requests;
  explanation.cost_usd += RequestPrices{}.get_usd;
  explanation.ranges.push_back({object, range.offset, range.length});
  counters.requests.fetch_add(1, std::memory_order_relaxed);
}

void ReadTrace::CountShared() {
  ++explanation.shared;
  counters.shared.fetch_add(1, std::memory_order_relaxed);
}

Result<SharedBytes> ObjectBlockSource::Fetch(ByteRange range) {
  const ByteRange in_object{place_.byte_begin + range.offset, range.length};
  const auto damaged = [&](std::string_view why) {
    return Error(ErrorCode::kCorruption, fmt::format("{} bytes [{}, {}): {}", place_.object, in_object.offset,
                                                     in_object.offset + in_object.length, why))
        .WithDamage(
            {.place = place_.object, .byte_begin = in_object.offset, .byte_end = in_object.offset + in_object.length});
  };
  if (range.offset > place_.byte_size || range.length > place_.byte_size - range.offset)
    return damaged("beyond the segment's end");
  trace_.CountRequest(place_.object, in_object);
  const std::chrono::nanoseconds begun = trace_.clock.Monotonic();
  Result<SharedBytes> bytes = objects_.Get(place_.object, in_object);
  trace_.explanation.wait += trace_.clock.Monotonic() - begun;
  if (!bytes && bytes.error().code() == ErrorCode::kOutOfRange) return damaged("the object ends before them");
  if (bytes && bytes->size() != range.length) return damaged(fmt::format("only {} bytes came", bytes->size()));
  return bytes;
}

}  // namespace millrace
