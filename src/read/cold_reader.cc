#include "read/cold_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bugs.h"
#include "base/try.h"
#include "read/read_memory.h"
#include "read/segment_map.h"
#include "record/record_batch_view.h"
#include "segment/segment_format.h"

namespace millrace {

namespace {

constexpr std::uint64_t kIndexGuessBytes = 64 << 10;

BlockKey SegmentKey(const SegmentRow& row) {
  if (Planted(Bug::kReadStaleCacheAfterRecreation)) return {{}, static_cast<std::uint64_t>(row.base.value()), 0};
  return {row.object, row.byte_begin, 0};
}

/// Block positions count from 1 here, so that the first block's key is not its segment's.
BlockKey KeyOf(const SegmentRow& row, const SegmentBlock& block) {
  BlockKey key = SegmentKey(row);
  key.block_begin = block.byte_begin + 1;
  return key;
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

Result<std::shared_ptr<const OpenedSegment>> ColdReader::Segment(const SegmentRow& row) {
  const BlockKey key = SegmentKey(row);
  if (auto found = cache_.segments.Find(key)) return *std::move(found);
  auto flight = cache_.segment_flights.Run(key, [&]() -> Result<std::shared_ptr<const OpenedSegment>> {
    if (auto found = cache_.segments.Peek(key)) return *std::move(found);
    Result<std::shared_ptr<const OpenedSegment>> loaded = LoadSegment(row);
    if (loaded) cache_.segments.Insert(key, *loaded, (*loaded)->index->memory_bytes() + OpenedBlock::kEntryOverhead);
    return loaded;
  });
  if (flight.shared) trace_.CountShared();
  return std::move(flight.result);
}

Result<std::shared_ptr<const OpenedSegment>> ColdReader::LoadSegment(const SegmentRow& row) {
  MR_ASSIGN_OR_RETURN(std::string object, segments_.ObjectKey(row.object));
  MR_ASSIGN_OR_RETURN(const auto reserved,
                      context_.memory.Reserve(std::min(row.byte_size, kIndexGuessBytes), deadline_));
  ObjectBlockSource source(context_.objects, {object, row.byte_begin, row.byte_size}, trace_);
  Result<std::shared_ptr<const SegmentIndex>> index = SegmentIndex::Load(source, row.byte_size, kIndexGuessBytes);
  if (!index && index.error().code() == ErrorCode::kCorruption)  // once more: the damage may have been on the way
    index = SegmentIndex::Load(source, row.byte_size, kIndexGuessBytes);
  // It may begin below its row, with a batch that log_start cut in two before it was uploaded.
  if (index && ((*index)->partition() != row.partition || (*index)->end() <= row.base || (*index)->end() > row.end))
    index = Error(ErrorCode::kCorruption, "the segment is another one than metadata names")
                .WithDamage({.byte_begin = 0, .byte_end = row.byte_size});
  if (index) return std::make_shared<const OpenedSegment>(OpenedSegment{*std::move(index), std::move(object)});
  if (index.error().code() != ErrorCode::kCorruption) return std::move(index).error();

  DamagedRange damage = index.error().damage() != nullptr ? *index.error().damage() : DamagedRange{};
  if (damage.place.empty()) {  // bytes within the segment
    if (damage.byte_end == 0) damage.byte_end = row.byte_size;
    damage.byte_begin += row.byte_begin;
    damage.byte_end += row.byte_begin;
    damage.place = object;
  }
  damage.begin = row.base;
  damage.end = row.end;
  return index.error().WithContext(fmt::format("object {}", object)).WithDamage(std::move(damage));
}

Result<std::vector<ColdReader::Block>> ColdReader::Blocks(const SegmentRow& row, const OpenedSegment& segment,
                                                          std::size_t first, std::uint64_t bytes_wanted) {
  const std::span<const SegmentBlock> blocks = segment.index->blocks();
  std::vector<Block> got;
  std::uint64_t raw_bytes = 0;
  for (std::size_t at = first; at < blocks.size() && (got.empty() || raw_bytes < bytes_wanted);) {
    const BlockKey key = KeyOf(row, blocks[at]);
    bool from_cache = true;
    std::optional<Result<BlockPointer>> block;
    if (auto found = cache_.blocks.Find(key)) {
      block = *std::move(found);
    } else if (!cache_.block_flights.TryLead(key)) {
      from_cache = false;
      block = cache_.block_flights.Await(key);
      if (!block) continue;  // landed just now
      trace_.CountShared();
    } else if (auto landed = cache_.blocks.Peek(key)) {
      block = *std::move(landed);
      cache_.block_flights.Land(key, *block);
    } else {
      from_cache = false;
      std::size_t end = at + 1;
      std::uint64_t stored = blocks[at].stored_bytes, raw = raw_bytes + blocks[at].raw_bytes;
      while (end < blocks.size() && raw < bytes_wanted && stored + blocks[end].stored_bytes <= kRequestBytesMax) {
        const BlockKey next = KeyOf(row, blocks[end]);
        if (cache_.blocks.Peek(next) || !cache_.block_flights.TryLead(next)) break;
        stored += blocks[end].stored_bytes;
        raw += blocks[end].raw_bytes;
        ++end;
      }
      for (Result<BlockPointer>& fetched : FetchRun(row, segment, at, end)) {
        block = std::move(fetched);
        if (!*block) break;
        raw_bytes += (**block)->raw_bytes;
        got.push_back({**block, false});
        ++at;
      }
      if (*block) continue;
    }
    if (!*block) {
      if (!got.empty()) break;
      return block->error();
    }
    raw_bytes += (**block)->raw_bytes;
    got.push_back({**std::move(block), from_cache});
    ++at;
  }
  return got;
}

Result<ColdReader::BlockPointer> ColdReader::OpenVerified(const SegmentBlock& block, const SharedBytes& stored) const {
  MR_ASSIGN_OR_RETURN(std::vector<SharedBytes> batches, OpenBatches(block, stored));
  return std::make_shared<const OpenedBlock>(OpenedBlock{block.base, block.end, std::move(batches), block.raw_bytes});
}

Error ColdReader::DescribeDamage(const Error& error, const SegmentRow& row, const OpenedSegment& segment,
                                 const SegmentBlock& block) const {
  const std::uint64_t begin = row.byte_begin + block.byte_begin;
  const DamagedRange damage{{}, block.base, block.end, segment.object_key, begin, begin + block.stored_bytes};
  return error
      .WithContext(fmt::format("object {} bytes [{}, {})", segment.object_key, begin, begin + block.stored_bytes))
      .WithDamage(damage);
}

std::vector<Result<ColdReader::BlockPointer>> ColdReader::FetchRun(const SegmentRow& row, const OpenedSegment& segment,
                                                                   std::size_t first, std::size_t end) {
  const std::span<const SegmentBlock> blocks = segment.index->blocks().subspan(first, end - first);
  std::vector<std::uint64_t> lengths;  // a block that is kept keeps no other in memory
  std::uint64_t in_flight_bytes = 0;
  for (const SegmentBlock& block : blocks) {
    lengths.push_back(block.stored_bytes);
    in_flight_bytes += std::uint64_t{block.stored_bytes} + block.raw_bytes;
  }
  ObjectBlockSource source(context_.objects, {segment.object_key, row.byte_begin, row.byte_size}, trace_);
  Result<ReadMemory::Reservation> reserved = context_.memory.Reserve(in_flight_bytes, deadline_);
  Result<std::vector<SharedBytes>> stored =
      reserved ? source.FetchParts(blocks[0].byte_begin, lengths) : reserved.error();

  std::vector<Result<BlockPointer>> results;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const SegmentBlock& block = blocks[i];
    const auto open = [&](const Result<SharedBytes>& bytes) -> Result<BlockPointer> {
      if (!bytes) return bytes.error();
      return OpenVerified(block, *bytes);
    };
    Result<BlockPointer> opened =
        open(stored ? Result<SharedBytes>((*stored)[i]) : Result<SharedBytes>(stored.error()));
#ifdef MILLRACE_BUGS
    if (Planted(Bug::kReadDamagedChunkServed) && !opened && stored) opened = UnverifiedBlock(block, (*stored)[i]);
#endif
    if (!opened && opened.error().code() == ErrorCode::kCorruption) {
      opened = open(source.Fetch({block.byte_begin, block.stored_bytes}));  // once more, past everything on the way
      if (!opened && opened.error().code() == ErrorCode::kCorruption)
        opened = DescribeDamage(opened.error(), row, segment, block);
    }
    const BlockKey key = KeyOf(row, block);
    if (opened) cache_.blocks.Insert(key, *opened, (*opened)->memory_bytes());
    results.push_back(opened);
    cache_.block_flights.Land(key, std::move(opened));
  }
  if (Planted(Bug::kReadBudgetLeakOnError) && !results.front() && reserved)
    new ReadMemory::Reservation(*std::move(reserved));
  return results;
}

}  // namespace millrace
