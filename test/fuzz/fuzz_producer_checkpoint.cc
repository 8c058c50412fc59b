// Any bytes as the checkpoint of producers, under the checksum they have and under one that fits: not believed, or
// states that give the same bytes when they are written again. Memory stays in proportion.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "log/producer_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  const auto given = std::as_bytes(std::span(input, size));
  std::vector<std::byte> bytes(given.begin(), given.end());
  for (const bool fits : {false, true}) {
    if (fits && bytes.size() >= 12) PutLe(bytes.data() + 8, Crc32c(std::span<const std::byte>(bytes).subspan(12)));
    std::optional<ProducerCheckpoint> checkpoint;
    {
      const AllocationMeter meter;
      checkpoint = DecodeProducerCheckpoint(bytes);
      meter.ExpectPeakWithin(AllocationBound(bytes.size()));
    }
    if (!checkpoint) continue;
    MR_CHECK(std::ranges::equal(EncodeProducerCheckpoint(*checkpoint), bytes));
    ProducerStateTable table;
    table.Restore(checkpoint->states);
    MR_CHECK(table.All() == checkpoint->states);
  }
  return 0;
}
