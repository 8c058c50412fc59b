#include "bench/harness/many_segments.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "bench/harness/opened_engine.h"
#include "meta/catalog.h"

namespace millrace::bench {

void CommitManySegments(MetadataStore& metadata, const PartitionKey& partition, std::size_t count) {
  constexpr std::size_t kSegmentsPerObject = 1000;
  constexpr std::uint64_t kSegmentBytes = 64u << 10;
  const PartitionRow row = OrDie(Catalog(metadata).AcquireEpoch(partition), "acquire");
  Offset base = row.tiered_end;
  for (std::size_t done = 0; done < count;) {
    const std::size_t here = std::min(kSegmentsPerObject, count - done);
    ObjectRow object;
    const std::uint64_t number = done / kSegmentsPerObject + 1;
    std::memcpy(object.id.data(), &number, sizeof number);
    object.key = "bench/" + std::to_string(number);
    object.size_bytes = here * kSegmentBytes;
    OrDie(Catalog(metadata).PrepareObject(object), "prepare");
    std::vector<SegmentCommit> commits;
    for (std::size_t i = 0; i < here; ++i) {
      SegmentRow segment;
      segment.partition = partition;
      segment.base = base;
      segment.end = base = base + kRecordsPerSegment;
      segment.object = object.id;
      segment.byte_begin = i * kSegmentBytes;
      segment.byte_size = kSegmentBytes;
      segment.records = kRecordsPerSegment;
      segment.timestamp_min_ms = segment.base.value();
      segment.timestamp_max_ms = segment.end.value();
      commits.push_back({segment, row.epoch});
    }
    OrDie(Catalog(metadata).CommitSegments(object, commits), "commit");
    done += here;
  }
}

}  // namespace millrace::bench
