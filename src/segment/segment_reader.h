// A segment's footer and index once read, and how its blocks turn back into batches. Does no I/O of its own: bytes come
// from a BlockSource.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "segment/block_source.h"

namespace millrace {

/// One block: which offsets and which bytes.
struct SegmentBlock {
  Offset base, end;                                         // of the batches that begin in it
  std::int64_t timestamp_min_ms = 0, timestamp_max_ms = 0;  // over its records
  std::uint64_t byte_begin = 0;                             // in the segment
  std::uint32_t stored_bytes = 0, raw_bytes = 0;            // with the block's own header; decompressed
  std::uint32_t crc = 0;                                    // the block's own, so that no other block passes for it
  std::uint32_t records = 0;
};

/// Footer and index of one segment, verified. Immutable, shared between readers.
class SegmentIndex {
 public:
  /// Reads the tail of a segment of `size_bytes`: one fetch when footer and index fit `tail_guess_bytes`, two
  /// otherwise. Errors: kCorruption (damage() has the byte range within the segment), kUnsupported (newer format
  /// version), those of the source.
  static Result<std::shared_ptr<const SegmentIndex>> Load(BlockSource& source, std::uint64_t size_bytes,
                                                          std::uint64_t tail_guess_bytes = 64 << 10);

  [[nodiscard]] PartitionKey partition() const;
  [[nodiscard]] Offset base() const;
  [[nodiscard]] Offset end() const;
  [[nodiscard]] std::uint64_t records() const;
  [[nodiscard]] std::int64_t timestamp_min_ms() const;
  [[nodiscard]] std::int64_t timestamp_max_ms() const;
  [[nodiscard]] std::span<const SegmentBlock> blocks() const;
  /// Index of the block that holds `offset`, or of the next one if `offset` lies in a gap; blocks().size() past the
  /// end.
  [[nodiscard]] std::size_t FindBlock(Offset offset) const;
  /// Index of the first block whose timestamp_max_ms is at or past `timestamp_ms`; blocks().size() if none.
  [[nodiscard]] std::size_t FindBlockByTime(std::int64_t timestamp_ms) const;
  [[nodiscard]] std::size_t memory_bytes() const;
  ~SegmentIndex();

 private:
  friend struct SegmentIndexLoader;
  SegmentIndex();
  struct State;
  std::unique_ptr<State> state_;
};

/// Whether `stored` is what the index says the block is: its length and its CRC. Errors: as OpenBlock.
Result<void> CheckBlock(const SegmentBlock& block, std::span<const std::byte> stored);

/// Checks the block's CRC and undoes its codec: `stored` is exactly the block's stored bytes. Errors: kCorruption, with
/// offsets and bytes (within the segment) in damage(); its place and partition are for the caller to add.
/// Uncompressed blocks are returned as a slice, without a copy.
Result<SharedBytes> OpenBlock(const SegmentBlock& block, const SharedBytes& stored);

/// The CRC of a block's stored bytes, going on from that of what came `before`, without a pass over them. Precondition:
/// CheckBlock found them right.
std::uint32_t StoredCrc(const SegmentBlock& block, std::span<const std::byte> stored, std::uint32_t before);

/// OpenBatches for a block that is not compressed, in one pass over its bytes. Nothing: it is compressed, or something
/// is amiss; what, CheckBlock and OpenBatches tell.
std::optional<std::vector<SharedBytes>> OpenUncompressed(const SegmentBlock& block, const SharedBytes& stored);

/// OpenBlock, then SplitBatches. Cost: one pass over the bytes of a block that is not compressed: its CRC is joined
/// from those of its batches.
Result<std::vector<SharedBytes>> OpenBatches(const SegmentBlock& block, const SharedBytes& stored);

/// Splits an opened block into its batches, each a slice, each CRC-verified, from the one containing `from` on. Errors:
/// kCorruption.
Result<std::vector<SharedBytes>> SplitBatches(const SharedBytes& block, Offset from);

}  // namespace millrace
