// A partition with very many segments in metadata, without the objects: what lookups and opens have to cope with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "millrace/metadata_store.h"

namespace millrace::bench {

constexpr std::int64_t kRecordsPerSegment = 1000;

/// Commits `count` segments of kRecordsPerSegment offsets each, a thousand an object, to a partition that has none.
void CommitManySegments(MetadataStore& metadata, const PartitionKey& partition, std::size_t count);

}  // namespace millrace::bench
