#include "fetch/segment_opener.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/limited_wait.h"
#include "base/try.h"
#include "cache/block_key.h"
#include "fetch/segment_map.h"

namespace millrace {

namespace {

/// Enough for the index of a segment whose blocks shrank to a fifth; little beside the segment itself.
std::uint64_t TailGuess(std::uint64_t segment_bytes) {
  return std::min(segment_bytes, std::clamp<std::uint64_t>(segment_bytes / 256, 16 << 10, 512 << 10));
}

/// A segment whose last bytes are at hand; the rest comes from the store. Keeps what it fetched first.
class TailSource final : public BlockSource {
 public:
  TailSource(ObjectBlockSource& store, std::uint64_t segment_bytes, SharedBytes& tail)
      : store_(store), segment_bytes_(segment_bytes), tail_(tail) {}

  Result<SharedBytes> Fetch(ByteRange range) override {
    const std::uint64_t tail_begin = segment_bytes_ - tail_.size();
    if (range.offset >= tail_begin) return tail_.Slice(range.offset - tail_begin, range.length);
    MR_ASSIGN_OR_RETURN(SharedBytes fetched, store_.Fetch(range));
    if (tail_.empty() && range.offset + range.length == segment_bytes_) tail_ = fetched;
    return fetched;
  }

 private:
  ObjectBlockSource& store_;
  const std::uint64_t segment_bytes_;
  SharedBytes& tail_;
};

}  // namespace

Result<std::shared_ptr<const OpenedSegment>> SegmentOpener::Open(const SegmentRow& row, JoinedError joined) {
  const BlockKey key = SegmentKey(row);
  if (auto found = context_.blocks.FindSegment(key)) return found;
  const auto load = [&]() -> Opened {
    if (auto found = context_.blocks.PeekSegment(key)) return found;
    Opened loaded = Load(row);
    if (loaded) context_.blocks.InsertSegment(key, *loaded);
    return loaded;
  };
  const std::chrono::nanoseconds begun = trace_.clock.Monotonic();
  auto flight = context_.flights.segments.Run(key, context_.clock, load);
  if (flight.shared) {
    trace_.CountShared();
    trace_.CountWait(WaitCause::kShared, trace_.clock.Monotonic() - begun);
    const bool goes_on = !flight.result && WithinLimits(context_.clock, "a segment's index");
    if (goes_on && joined == JoinedError::kTryOnce) flight = context_.flights.segments.Run(key, context_.clock, load);
  }
  return std::move(flight.result);
}

Result<std::shared_ptr<const OpenedSegment>> SegmentOpener::Parse(const SegmentRow& row, const std::string& object,
                                                                  ObjectBlockSource& store, SharedBytes& tail) const {
  TailSource source(store, row.byte_size, tail);
  auto index = SegmentIndex::Load(source, row.byte_size, tail.empty() ? TailGuess(row.byte_size) : tail.size());
  if (!index) return std::move(index).error();
  // It may begin below its row, with a batch that log_start cut in two before it was uploaded.
  if ((*index)->partition() != row.partition || (*index)->end() <= row.base || (*index)->end() > row.end)
    return Error(ErrorCode::kCorruption, "the segment is another one than metadata names")
        .WithDamage({.byte_begin = 0, .byte_end = row.byte_size});
  return std::make_shared<const OpenedSegment>(OpenedSegment{*std::move(index), object});
}

Result<std::shared_ptr<const OpenedSegment>> SegmentOpener::Load(const SegmentRow& row) {
  MR_ASSIGN_OR_RETURN(const std::string object, segments_.ObjectKey(row.object));
  MR_ASSIGN_OR_RETURN(const auto reserved, trace_.Wait(WaitCause::kMemory, [&] {
    return context_.memory.Reserve(TailGuess(row.byte_size));
  }));
  ObjectBlockSource store(context_, {object, row.byte_begin, row.byte_size}, trace_, whose_);
  const ChunkKey key{row.object, row.byte_begin, kTailChunk};
  const Lookup lookup = whose_ == ChunkFor::kAhead ? Lookup::kPrefetch : Lookup::kReader;
  if (SegmentCache* cache = context_.segment_cache) {
    auto parts = trace_.Wait(WaitCause::kCache, [&] { return cache->Read(key, {}, lookup); });
    if (parts && !parts->front().empty() && parts->front().size() <= row.byte_size) {
      if (Opened opened = Parse(row, object, store, parts->front())) return opened;
      cache->Drop(key);
    }
  }
  SegmentCache::Admission room;
  if (context_.segment_cache != nullptr)
    room =
        context_.segment_cache->Reserve({.key = key,
                                         .bytes = TailGuess(row.byte_size),
                                         .lookup = lookup,
                                         .hint = whose_ == ChunkFor::kAhead ? InsertHint::kScan : InsertHint::kRandom});
  SharedBytes tail;
  Opened opened = Parse(row, object, store, tail);
  if (!opened && opened.error().code() == ErrorCode::kCorruption) {  // once more: it may have been damaged on the way
    tail = {};
    opened = Parse(row, object, store, tail);
  }
  if (opened) {
    if (room && tail.size() == TailGuess(row.byte_size))
      (void)context_.segment_cache->Admit(std::move(room), {&tail, 1});
    return opened;
  }
  if (opened.error().code() != ErrorCode::kCorruption) return opened;

  DamagedRange damage = opened.error().damage() != nullptr ? *opened.error().damage() : DamagedRange{};
  if (damage.place.empty()) {  // bytes within the segment
    if (damage.byte_end == 0) damage.byte_end = row.byte_size;
    damage.byte_begin += row.byte_begin;
    damage.byte_end += row.byte_begin;
    damage.place = object;
  }
  damage.begin = row.base;
  damage.end = row.end;
  return opened.error().WithContext(fmt::format("object {}", object)).WithDamage(std::move(damage));
}

}  // namespace millrace
