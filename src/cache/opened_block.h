// What is kept of a segment in memory: its index, and its blocks as readers want them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cache/chunk.h"
#include "millrace/bytes.h"
#include "millrace/metadata_store.h"
#include "millrace/types.h"
#include "segment/segment_reader.h"

namespace millrace {

/// A block verified, decompressed and split; every batch has passed its CRC.
struct OpenedBlock {
  Offset base, end;
  std::vector<SharedBytes> batches;
  std::uint64_t raw_bytes = 0;

  [[nodiscard]] std::uint64_t memory_bytes() const {
    return raw_bytes + batches.capacity() * sizeof(SharedBytes) + sizeof *this + kEntryOverhead;
  }
  static constexpr std::uint64_t kEntryOverhead = 160;  // slot, map node, counters
};

/// A segment's index, and where its object lies.
struct OpenedSegment {
  std::shared_ptr<const SegmentIndex> index;
  std::string object_key;

  [[nodiscard]] std::uint64_t memory_bytes() const { return index->memory_bytes() + OpenedBlock::kEntryOverhead; }
};

/// Of a run that is a chunk.
inline ChunkKey KeyOf(const SegmentRow& row, const OpenedSegment& segment, BlockRange chunk) {
  return {row.object, row.byte_begin, segment.index->blocks()[chunk.first].byte_begin};
}

}  // namespace millrace
