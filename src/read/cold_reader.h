// Offsets below tiered_end to verified batches: segment index and blocks from memory where they are, else as stored,
// under the memory budget, from the nearest place that has them, one request for neighbours and one for all readers who
// wait for the same bytes.
//
//   block cache ─► block on its way ─► near store: the blocks themselves, by one ranged request
//                                  └─► far store: their chunk, on its way or here ahead ─► disk cache ─► ranged request
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cache/chunk.h"
#include "cache/eviction_queue.h"
#include "cache/opened_block.h"
#include "fetch/chunk_fetch.h"
#include "fetch/fetched_chunk.h"
#include "fetch/read_memory.h"
#include "fetch/read_trace.h"
#include "fetch/segment_map.h"
#include "fetch/segment_opener.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "prefetch/read_stream.h"
#include "read/read_context.h"

namespace millrace {

enum class BlockOrigin { kBlockCache, kSegmentCache, kObjectStore, kFetchedAhead };

/// For one read of one partition, on one thread, within the limits of its RequestScope.
class ColdReader {
 public:
  static constexpr std::uint64_t kRequestBytesMax = 1 << 20;  // to a near store: neighbouring blocks in one request

  ColdReader(ReadContext& context, SegmentMap& segments, ReadTrace& trace)
      : context_(context), trace_(trace), opener_(context, segments, trace, ChunkFor::kReader) {}

  /// The read goes on where an earlier one ended: it takes the caches' lane for streams, and what follows it is fetched
  /// ahead. `stream`: null without a prefetcher.
  void Follow(std::shared_ptr<ReadStream> stream) {
    goes_on_ = true;
    stream_ = std::move(stream);
  }

  /// Errors and cost: SegmentOpener's.
  Result<std::shared_ptr<const OpenedSegment>> Segment(const SegmentRow& row) {
    return opener_.Open(row, context_.prefetcher != nullptr ? JoinedError::kTryOnce : JoinedError::kOurs);
  }

  struct Wanted {
    std::uint64_t raw_bytes = 0, records = UINT64_MAX;
  };
  struct Block {
    std::shared_ptr<const OpenedBlock> opened;
    BlockOrigin origin = BlockOrigin::kObjectStore;
  };
  /// Blocks of the segment from number `first` on, until there is as much as `wanted`, at least one; fewer if a later
  /// one fails. Errors: those of the first one, with its offsets, object and bytes in damage().
  Result<std::vector<Block>> Blocks(const SegmentRow& row, const std::shared_ptr<const OpenedSegment>& segment,
                                    std::size_t first, const Wanted& wanted);
  /// Puts those of `run` that are neither cached nor on their way into the block cache, for a reader that comes.
  void Warm(const SegmentRow& row, const std::shared_ptr<const OpenedSegment>& segment, BlockRange run);

 private:
  using BlockPointer = std::shared_ptr<const OpenedBlock>;
  /// Where a run of blocks is wanted from.
  struct ColdSegment {
    const SegmentRow& row;
    const std::shared_ptr<const OpenedSegment>& opened;
    const OpenedSegment& segment;          // the same
    std::span<const SegmentBlock> blocks;  // all of it
  };
  /// Blocks as stored, or opened already, from one origin, and what must live until they are opened.
  struct Stored {
    std::vector<FetchedBlock> blocks;
    BlockOrigin origin = BlockOrigin::kObjectStore;
    ReadMemory::Reservation reserved;
    ChunkPointer chunk;
    std::unique_ptr<ChunkFetch> fetch;
  };

  /// Leads `first` already; leads on over neighbours below `end` that no reader fetches, as far as one request goes.
  BlockRange LeadOn(const ColdSegment& cold, std::size_t first, std::size_t end);
  /// Fetches blocks of `run`, which this thread leads, and lands them. One result each.
  std::vector<Result<Block>> FetchRun(const ColdSegment& cold, BlockRange run);
  /// The first blocks of `run`, at least one; an error that is no damage stands for all of them.
  Stored FromStore(const ColdSegment& cold, BlockRange run);
  Stored FromChunks(const ColdSegment& cold, BlockRange run);
  std::optional<Stored> FromArriving(const ColdSegment& cold, BlockRange run, const ChunkKey& key);
  std::optional<Stored> FromDisk(const ColdSegment& cold, BlockRange run, BlockRange chunk, const ChunkKey& key);
  /// Leads `chunk` already.
  Stored FromRequest(const ColdSegment& cold, BlockRange run, BlockRange chunk);
  Result<BlockPointer> OpenVerified(const ColdSegment& cold, std::size_t number, Stored& stored, std::size_t i);
  /// Of chunks that the disk did not take, the blocks that no reader asked for yet.
  void KeepFetched(const ColdSegment& cold, ChunkFetch& fetch, std::size_t i);
  Result<ReadMemory::Reservation> Reserve(std::uint64_t bytes);
  static std::vector<FetchedBlock> AllFailed(std::size_t blocks, const Error& error) {
    return std::vector<FetchedBlock>(blocks, FetchedBlock{error, {}});
  }
  [[nodiscard]] InsertHint hint() const { return goes_on_ ? InsertHint::kScan : InsertHint::kRandom; }
  void Outran(const SegmentBlock& block);

  ReadContext& context_;
  ReadTrace& trace_;
  SegmentOpener opener_;
  bool goes_on_ = false;
  std::shared_ptr<ReadStream> stream_;
};

}  // namespace millrace
