#include "fetch/chunk_fetch.h"

#include <fmt/format.h>

#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/limited_wait.h"
#include "base/try.h"

namespace millrace {

namespace {

constexpr std::size_t kSliceShare = 32;  // of a block's bytes, what its slices may take, uncounted

}  // namespace

Error DescribeDamage(const Error& error, const SegmentRow& row, const OpenedSegment& segment,
                     const SegmentBlock& block) {
  const std::uint64_t begin = row.byte_begin + block.byte_begin;
  const DamagedRange damage{{}, block.base, block.end, segment.object_key, begin, begin + block.stored_bytes};
  return error
      .WithContext(fmt::format("object {} bytes [{}, {})", segment.object_key, begin, begin + block.stored_bytes))
      .WithDamage(damage);
}

ChunkFetch::ChunkFetch(FetchContext& context, Order order)
    : context_(context), arriving_(context.flights.chunks), order_(std::move(order)) {
  for (const BlockRange& chunk : order_.chunks) stored_bytes_ += BytesOf(order_.segment->index->blocks(), chunk).length;
}

ChunkFetch::~ChunkFetch() { Release(Error(ErrorCode::kUnavailable, "the request was given up")); }

void ChunkFetch::Release(const Error& error) {
  if (!std::exchange(leads_, false)) return;
  for (const BlockRange& chunk : order_.chunks) {
    if (arrived_.empty())
      arriving_.Fail(Key(chunk), error);
    else
      arriving_.Done(Key(chunk));
  }
}

Result<std::vector<FetchedBlock>> ChunkFetch::Check(ObjectBlockSource& store, BlockRange chunk,
                                                    std::span<SharedBytes> parts) const {
  std::vector<FetchedBlock> checked;
  for (std::size_t number = chunk.first; number < chunk.end; ++number) {
    const SegmentBlock& block = order_.segment->index->blocks()[number];
    SharedBytes& part = parts[number - chunk.first];
    if (auto batches = OpenUncompressed(block, part)) {
      // The memory budget does not count the slices: of very small batches they are made again.
      if (batches->size() * sizeof(SharedBytes) > part.size() / kSliceShare) batches->clear();
      checked.push_back({std::move(part), *std::move(batches)});
      continue;
    }
    Result<void> good = CheckBlock(block, part);
    if (good || (Planted(Bug::kReadDamagedChunkServed) && part.size() == block.stored_bytes)) {
      checked.push_back({std::move(part), {}});
      continue;
    }
    // Once more, past everything on the way.
    Result<SharedBytes> again = store.Fetch({block.byte_begin, block.stored_bytes});
    if (!again && IsOfOwnLimits(again.error())) return std::move(again).error();
    if (again) good = CheckBlock(block, *again);
    if (again && !good) again = good.error();
    if (!again && again.error().code() == ErrorCode::kCorruption)
      again = DescribeDamage(again.error(), order_.row, *order_.segment, block);
    checked.push_back({std::move(again), {}});
  }
  return checked;
}

Result<void> ChunkFetch::Run(ReadTrace& trace, std::vector<ReadMemory::Reservation> reserved) {
  const std::span<const SegmentBlock> blocks = order_.segment->index->blocks();
  const std::size_t first = order_.chunks.front().first, end = order_.chunks.back().end;
  if (SegmentCache* cache = context_.segment_cache) {
    for (const BlockRange& chunk : order_.chunks)
      rooms_.push_back(
          cache->Reserve({.key = Key(chunk), .bytes = BytesOf(blocks, chunk).length, .hint = order_.hint}));
  }
  std::vector<std::uint64_t> lengths;  // a block that is kept keeps no other in memory
  for (const SegmentBlock& block : blocks.subspan(first, end - first)) lengths.push_back(block.stored_bytes);
  ObjectBlockSource store(context_, {order_.segment->object_key, order_.row.byte_begin, order_.row.byte_size}, trace,
                          order_.whose);
  auto parts = store.FetchParts(blocks[first].byte_begin, lengths);
  if (!parts && parts.error().code() == ErrorCode::kCorruption)  // too short: it may have been cut on the way
    parts = store.FetchParts(blocks[first].byte_begin, lengths);
  if (!parts && parts.error().code() == ErrorCode::kCorruption)
    parts = std::vector<SharedBytes>(lengths.size());  // each block alone, so that what is there is read
  if (!parts) {
    Release(parts.error());
    return parts.error();
  }
  for (const BlockRange& chunk : order_.chunks) {
    auto checked = Check(store, chunk, std::span(*parts).subspan(chunk.first - first, chunk.end - chunk.first));
    if (!checked) {
      arrived_.clear();
      Release(checked.error());
      return checked.error();
    }
    auto fetched = std::make_shared<FetchedChunk>(chunk, *std::move(checked), order_.whose, context_.counters);
    if (!reserved.empty()) fetched->Own(std::move(reserved[arrived_.size()]));
    arrived_.push_back(std::move(fetched));
  }
  for (std::size_t i = 0; i < order_.chunks.size(); ++i) arriving_.Arrive(Key(order_.chunks[i]), arrived_[i]);
  return {};
}

bool ChunkFetch::Keep(std::size_t i) {
  MR_DCHECK(i < arrived_.size());
  if (rooms_.empty() || !rooms_[i] || !arrived_[i]->whole()) return false;
  std::vector<SharedBytes> pieces;
  std::uint32_t crc = 0;
  for (std::size_t number = arrived_[i]->run().first; number < arrived_[i]->run().end; ++number) {
    pieces.push_back(*arrived_[i]->block(number));
    crc = StoredCrc(order_.segment->index->blocks()[number], pieces.back(), crc);
  }
  return context_.segment_cache->Admit(std::move(rooms_[i]), pieces, crc);
}

}  // namespace millrace
