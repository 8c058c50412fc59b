// Batches in, one segment out. Layout: docs/format/segment.md.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "segment/segment_producers.h"

namespace millrace {

class BlockEncoder;

struct SegmentBuilderOptions {
  PartitionKey partition;
  SegmentCodec codec = SegmentCodec::kLz4;
  std::uint32_t block_bytes = 64 << 10;  // uncompressed target; a larger batch is a block of its own
  /// Of the same codec, for builders of one thread that share its working memory; outlives them. None: one of its own.
  BlockEncoder* encoder = nullptr;
};

struct BuiltSegment {
  std::vector<SharedBytes> pieces;  // their concatenation is the segment
  std::uint64_t size_bytes = 0;
  Offset base, end;
  std::uint64_t records = 0;
  std::int64_t timestamp_min_ms = 0, timestamp_max_ms = 0;
  ProducersTold producers;  // who sent the batches; not in the segment itself, but for its object's directory
};

/// Not thread-safe.
class SegmentBuilder {
 public:
  explicit SegmentBuilder(const SegmentBuilderOptions& options);
  ~SegmentBuilder();
  /// `batch` is one whole batch that begins at or past the end of the last one. Its CRC is verified here, so damage
  /// does not spread. Errors: kCorruption, kInvalidArgument (order).
  Result<void> Add(const SharedBytes& batch);
  [[nodiscard]] std::uint64_t size_bytes() const;  // so far, as stored
  [[nodiscard]] bool empty() const;
  /// Errors: kInvalidArgument (empty).
  Result<BuiltSegment> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
