#include "read/cold_reader.h"

#include <algorithm>
#include <utility>

#include "base/bugs.h"
#include "base/limited_wait.h"
#include "base/try.h"
#include "cache/block_key.h"
#include "fetch/object_block_source.h"
#include "prefetch/prefetcher.h"
#include "record/record_batch_view.h"
#include "segment/segment_format.h"

namespace millrace {

namespace {

/// Past the last block of those from `first` on that make up `wanted`.
std::size_t WantedEnd(std::span<const SegmentBlock> blocks, std::size_t first, const ColdReader::Wanted& wanted) {
  std::uint64_t raw = blocks[first].raw_bytes, records = blocks[first].records;
  std::size_t end = first + 1;
  for (; end < blocks.size() && raw < wanted.raw_bytes && records < wanted.records; ++end) {
    raw += blocks[end].raw_bytes;
    records += blocks[end].records;
  }
  return end;
}

#ifdef MILLRACE_BUGS
/// What a reader without verification would hand out.
std::shared_ptr<const OpenedBlock> UnverifiedBlock(const SegmentBlock& block, const SharedBytes& stored) {
  auto opened = std::make_shared<OpenedBlock>(OpenedBlock{block.base, block.end, {}, stored.size()});
  std::size_t at = segment_format::block::kHeaderBytes;
  while (at < stored.size()) {
    const auto view = RecordBatchView::Parse(stored.bytes().subspan(at));
    if (!view) break;
    opened->batches.push_back(stored.Slice(at, view->size_bytes()));
    at += view->size_bytes();
  }
  return opened;
}
#endif

}  // namespace

Result<std::vector<ColdReader::Block>> ColdReader::Blocks(const SegmentRow& row,
                                                          const std::shared_ptr<const OpenedSegment>& segment,
                                                          std::size_t first, const Wanted& wanted) {
  const ColdSegment cold{row, segment, *segment, segment->index->blocks()};
  const std::size_t end = WantedEnd(cold.blocks, first, wanted);
  if (stream_) context_.prefetcher->Advance(stream_, row, segment, {first, end});
  std::vector<Block> got;
  bool tried_again = false;
  for (std::size_t at = first; at < end;) {
    const BlockKey key = KeyOf(row, cold.blocks[at]);
    BlockOrigin origin = BlockOrigin::kBlockCache;
    std::optional<Result<BlockPointer>> block;
    if (auto found = context_.blocks.FindBlock(key, hint())) {
      block = std::move(found);
    } else if (!context_.flights.blocks.TryLead(key)) {
      origin = BlockOrigin::kObjectStore;
      block = trace_.Wait(WaitCause::kShared, [&] {
        return context_.flights.blocks.Await(key, context_.clock, "blocks that another reader fetches");
      });
      if (!block) continue;  // landed just now
      const bool goes_on = !*block && WithinLimits(context_.clock, "a block");
      if (goes_on && context_.warmer != nullptr && !std::exchange(tried_again, true))
        continue;  // it may be the warmer's
      trace_.CountShared();
    } else if (auto landed = context_.blocks.PeekBlock(key)) {
      block = std::move(landed);
      context_.flights.blocks.Land(key, *block);
    } else {
      for (Result<Block>& fetched : FetchRun(cold, LeadOn(cold, at, end))) {
        if (!fetched) {
          block = std::move(fetched).error();
          break;
        }
        got.push_back(*std::move(fetched));
        ++at;
      }
      if (!block) continue;
    }
    if (!*block) {
      if (!got.empty()) break;
      return block->error();
    }
    got.push_back({**std::move(block), origin});
    ++at;
  }
  return got;
}

BlockRange ColdReader::LeadOn(const ColdSegment& cold, std::size_t first, std::size_t end) {
  const std::uint64_t request_bytes_max = context_.segment_cache != nullptr ? kJoinBytesMax : kRequestBytesMax;
  BlockRange run{first, first + 1};
  std::uint64_t stored = cold.blocks[first].stored_bytes;
  while (run.end < end && stored + cold.blocks[run.end].stored_bytes <= request_bytes_max) {
    const BlockKey next = KeyOf(cold.row, cold.blocks[run.end]);
    if (context_.blocks.PeekBlock(next) || !context_.flights.blocks.TryLead(next)) break;
    stored += cold.blocks[run.end].stored_bytes;
    ++run.end;
  }
  return run;
}

void ColdReader::Warm(const SegmentRow& row, const std::shared_ptr<const OpenedSegment>& segment, BlockRange run) {
  const ColdSegment cold{row, segment, *segment, segment->index->blocks()};
  goes_on_ = true;
  while (run.first < run.end) {
    const BlockKey key = KeyOf(row, cold.blocks[run.first]);
    BlockRange led{run.first, run.first + 1};
    if (!context_.blocks.PeekBlock(key) && context_.flights.blocks.TryLead(key)) {
      led = LeadOn(cold, run.first, run.end);
      (void)FetchRun(cold, led);  // the reader of a block that failed learns why
    }
    run.first = led.end;
  }
}

std::vector<Result<ColdReader::Block>> ColdReader::FetchRun(const ColdSegment& cold, BlockRange run) {
  std::vector<Result<Block>> results;
  while (run.first < run.end) {
    Stored stored = context_.segment_cache != nullptr ? FromChunks(cold, run) : FromStore(cold, run);
    for (std::size_t i = 0; i < stored.blocks.size(); ++i) {
      Result<BlockPointer> opened = OpenVerified(cold, run.first, stored, i);
      if (!opened && opened.error().code() == ErrorCode::kCorruption && stored.origin == BlockOrigin::kSegmentCache) {
        context_.segment_cache->Drop(KeyOf(cold.row, cold.segment, ChunkOf(cold.blocks, run.first)));
        break;  // from somewhere else, then
      }
      const BlockKey key = KeyOf(cold.row, cold.blocks[run.first]);
      if (opened) context_.blocks.InsertBlock(key, *opened, hint());
      if (opened)
        results.push_back(Block{*opened, stored.origin});
      else
        results.emplace_back(opened.error());
      context_.flights.blocks.Land(key, std::move(opened));
      ++run.first;
    }
    if (stored.fetch) {
      for (std::size_t i = 0; i < stored.fetch->chunks().size(); ++i) KeepFetched(cold, *stored.fetch, i);
    }
    if (Planted(Bug::kReadBudgetLeakOnError) && !results.empty() && !results.front())
      new ReadMemory::Reservation(std::move(stored.reserved));
  }
  return results;
}

Result<ColdReader::BlockPointer> ColdReader::OpenVerified(const ColdSegment& cold, std::size_t number, Stored& stored,
                                                          std::size_t i) {
  const SegmentBlock& block = cold.blocks[number];
  FetchedBlock& fetched = stored.blocks[i];
  if (!fetched.batches.empty())  // verified in memory, when it came
    return std::make_shared<const OpenedBlock>(
        OpenedBlock{block.base, block.end, std::move(fetched.batches), block.raw_bytes});
  const auto open = [&](const Result<SharedBytes>& bytes) -> Result<BlockPointer> {
    if (!bytes) return bytes.error();
    MR_ASSIGN_OR_RETURN(std::vector<SharedBytes> batches, OpenBatches(block, *bytes));
    return std::make_shared<const OpenedBlock>(OpenedBlock{block.base, block.end, std::move(batches), block.raw_bytes});
  };
  Result<BlockPointer> opened = open(fetched.stored);
#ifdef MILLRACE_BUGS
  if (Planted(Bug::kReadDamagedChunkServed) && !opened && fetched.stored)
    opened = UnverifiedBlock(block, *fetched.stored);
#endif
  if (opened || opened.error().code() != ErrorCode::kCorruption) return opened;
  if (stored.origin == BlockOrigin::kSegmentCache) return opened;
  if (context_.segment_cache == nullptr) {  // once more, past everything on the way
    ObjectBlockSource source(context_, {cold.segment.object_key, cold.row.byte_begin, cold.row.byte_size}, trace_);
    opened = open(source.Fetch({block.byte_begin, block.stored_bytes}));
    if (opened || opened.error().code() != ErrorCode::kCorruption) return opened;
  }
  return DescribeDamage(opened.error(), cold.row, cold.segment, block);
}

ColdReader::Stored ColdReader::FromStore(const ColdSegment& cold, BlockRange run) {
  Stored stored;
  std::vector<std::uint64_t> lengths;  // a block that is kept keeps no other in memory
  std::uint64_t in_flight_bytes = 0;
  for (std::size_t number = run.first; number < run.end; ++number) {
    lengths.push_back(cold.blocks[number].stored_bytes);
    in_flight_bytes += std::uint64_t{cold.blocks[number].stored_bytes} + cold.blocks[number].raw_bytes;
  }
  ObjectBlockSource source(context_, {cold.segment.object_key, cold.row.byte_begin, cold.row.byte_size}, trace_);
  auto reserved = Reserve(in_flight_bytes);
  auto parts = reserved ? source.FetchParts(cold.blocks[run.first].byte_begin, lengths)
                        : Result<std::vector<SharedBytes>>(reserved.error());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (parts)
      stored.blocks.push_back({std::move((*parts)[i]), {}});
    else
      stored.blocks.push_back({parts.error(), {}});
  }
  if (reserved) stored.reserved = *std::move(reserved);
  return stored;
}

ColdReader::Stored ColdReader::FromChunks(const ColdSegment& cold, BlockRange run) {
  const BlockRange chunk = ChunkOf(cold.blocks, run.first);
  const ChunkKey key = KeyOf(cold.row, cold.segment, chunk);
  for (bool look_again = true;;) {
    if (auto stored = FromArriving(cold, run, key)) return *std::move(stored);
    if (auto stored = FromDisk(cold, {run.first, std::min(run.end, chunk.end)}, chunk, key)) return *std::move(stored);
    if (!context_.flights.chunks.TryLead(key)) continue;
    if (!look_again || !context_.segment_cache->Contains(key)) return FromRequest(cold, run, chunk);
    look_again = false;  // stored between the two looks
    context_.flights.chunks.GiveUp(key);
  }
}

std::optional<ColdReader::Stored> ColdReader::FromArriving(const ColdSegment& cold, BlockRange run,
                                                           const ChunkKey& key) {
  if (context_.flights.chunks.IsComing(key)) Outran(cold.blocks[run.first]);
  const std::chrono::nanoseconds begun = context_.clock.Monotonic();
  auto taken = context_.flights.chunks.Take(key, context_.clock);
  if (!taken) return std::nullopt;
  Stored stored;
  if (!*taken || (**taken).waited) trace_.CountWait(WaitCause::kShared, context_.clock.Monotonic() - begun);
  if (!*taken) {
    stored.blocks = AllFailed(run.end - run.first, taken->error());
    return stored;
  }
  stored.chunk = std::move((**taken).chunk);
  if (stored.chunk->whose() == ChunkFor::kAhead)
    stored.origin = BlockOrigin::kFetchedAhead;
  else
    trace_.CountShared();
  for (std::size_t number = run.first; number < std::min(run.end, stored.chunk->run().end); ++number) {
    stored.chunk->Use(number);
    stored.blocks.push_back(stored.chunk->opened(number));
  }
  return stored;
}

std::optional<ColdReader::Stored> ColdReader::FromDisk(const ColdSegment& cold, BlockRange run, BlockRange chunk,
                                                       const ChunkKey& key) {
  SegmentCache& cache = *context_.segment_cache;
  std::vector<ByteRange> ranges;
  std::uint64_t in_flight_bytes = 0;
  for (std::size_t number = run.first; number < run.end; ++number) {
    const SegmentBlock& block = cold.blocks[number];
    ranges.push_back({block.byte_begin - cold.blocks[chunk.first].byte_begin, block.stored_bytes});
    in_flight_bytes += std::uint64_t{block.stored_bytes} + block.raw_bytes;
  }
  Stored stored;
  stored.origin = BlockOrigin::kSegmentCache;
  if (cache.Contains(key)) {
    auto reserved = Reserve(in_flight_bytes);
    if (!reserved) {
      stored.blocks = AllFailed(run.end - run.first, reserved.error());
      return stored;
    }
    stored.reserved = *std::move(reserved);
  }
  auto parts = trace_.Wait(WaitCause::kCache, [&] { return cache.Read(key, ranges, Lookup::kReader, hint()); });
  if (!parts) return std::nullopt;
  for (SharedBytes& part : *parts) stored.blocks.push_back({std::move(part), {}});
  return stored;
}

ColdReader::Stored ColdReader::FromRequest(const ColdSegment& cold, BlockRange run, BlockRange chunk) {
  Outran(cold.blocks[run.first]);
  std::vector<BlockRange> chunks{chunk};
  const std::uint64_t bytes_max = std::min(kJoinBytesMax, context_.memory.bytes_max() / 8);
  while (chunks.back().end < run.end) {  // neighbours that are wanted too and nowhere yet
    const BlockRange next = ChunkOf(cold.blocks, chunks.back().end);
    // A reader outside any stream waits for all of it: two requests would be two delays.
    const bool fits = BytesOf(cold.blocks, {chunk.first, next.end}).length <= bytes_max;
    if (!Joins(cold.blocks, chunk, next, bytes_max) && (goes_on_ || !fits)) break;
    const ChunkKey key = KeyOf(cold.row, cold.segment, next);
    if (context_.segment_cache->Contains(key) || !context_.flights.chunks.TryLead(key)) break;
    chunks.push_back(next);
  }
  Stored stored;
  const std::size_t end = std::min(run.end, chunks.back().end);
  stored.fetch = std::make_unique<ChunkFetch>(
      context_,
      ChunkFetch::Order{.row = cold.row, .segment = cold.opened, .chunks = std::move(chunks), .hint = hint()});
  std::uint64_t in_flight_bytes = stored.fetch->stored_bytes();
  for (std::size_t number = run.first; number < end; ++number) in_flight_bytes += cold.blocks[number].raw_bytes;
  auto reserved = Reserve(in_flight_bytes);
  const Result<void> fetched = reserved ? stored.fetch->Run(trace_, {}) : Result<void>(reserved.error());
  if (reserved) stored.reserved = *std::move(reserved);
  if (!fetched) {
    stored.fetch->Release(fetched.error());
    stored.fetch.reset();
    stored.blocks = AllFailed(run.end - run.first, fetched.error());
    return stored;
  }
  for (const ChunkPointer& arrived : stored.fetch->chunks()) {
    for (std::size_t number = std::max(run.first, arrived->run().first); number < std::min(end, arrived->run().end);
         ++number)
      stored.blocks.push_back(arrived->opened(number));
  }
  return stored;
}

void ColdReader::KeepFetched(const ColdSegment& cold, ChunkFetch& fetch, std::size_t i) {
  if (fetch.Keep(i)) return;
  const FetchedChunk& chunk = *fetch.chunks()[i];
  for (std::size_t number = chunk.run().first; number < chunk.run().end; ++number) {
    const BlockKey key = KeyOf(cold.row, cold.blocks[number]);
    if (!chunk.block(number) || context_.blocks.PeekBlock(key)) continue;
    auto batches = OpenBatches(cold.blocks[number], *chunk.block(number));
    if (!batches) continue;  // its reader learns why
    const SegmentBlock& block = cold.blocks[number];
    const auto opened =
        std::make_shared<const OpenedBlock>(OpenedBlock{block.base, block.end, *std::move(batches), block.raw_bytes});
    context_.blocks.InsertBlock(key, opened, InsertHint::kScan);
  }
}

Result<ReadMemory::Reservation> ColdReader::Reserve(std::uint64_t bytes) {
  if (context_.prefetcher == nullptr)
    return trace_.Wait(WaitCause::kMemory, [&] { return context_.memory.Reserve(bytes); });
  const Prefetcher::Yielding yielding(*context_.prefetcher, bytes);  // what came ahead makes room
  return trace_.Wait(WaitCause::kMemory, [&] { return context_.memory.Reserve(bytes); });
}

void ColdReader::Outran(const SegmentBlock& block) {
  if (stream_) context_.prefetcher->Outrun(stream_, block.base);
}

}  // namespace millrace
