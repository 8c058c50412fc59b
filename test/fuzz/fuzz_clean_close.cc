// Any bytes as what stands in the note of a clean close about one partition: not whole, or a run whose index ascends
// and which gives the same bytes when it is written again. Memory stays in proportion.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "log/partition_snapshot.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace millrace;
  auto rest = std::as_bytes(std::span(input, size));
  while (true) {
    const auto before = rest;
    std::optional<PartitionSnapshot> run;
    {
      const AllocationMeter meter;
      run = DecodePartitionSnapshot(rest);
      meter.ExpectPeakWithin(AllocationBound(before.size()));
    }
    if (!run) return 0;
    MR_CHECK(rest.size() < before.size());
    for (std::size_t i = 1; i < run->index.size(); ++i) {
      MR_CHECK(run->index[i - 1].base < run->index[i].base && run->index[i - 1].begin < run->index[i].begin);
    }
    std::vector<std::byte> again;
    EncodePartitionSnapshot(*run, again);
    MR_CHECK(std::ranges::equal(again, before.first(before.size() - rest.size())));
  }
}
