#include "tier/wal_sweep.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/check.h"
#include "log/partition_log.h"
#include "millrace/request_scope.h"
#include "record/record_batch_view.h"
#include "segment/block_codec.h"

namespace millrace {
namespace {

constexpr std::int64_t kWindowBytes = 1 << 20;  // of the WAL at a time: what slices can keep in memory unawares
constexpr std::uint64_t kTailBytes = 1 << 20;   // taken from a log's tail at a time
constexpr std::int64_t kBlockBytes = 4096;      // of the WAL: what was synced by itself begins at one
constexpr int kBlocksTried = 64;
constexpr WalPosition kFarthest(std::numeric_limits<WalPosition::rep>::max());

class Sweep {
 public:
  Sweep(Wal& wal, std::span<SweptClaim> claims, const WalSweepOptions& options);
  void Run();
  void Finish();

 private:
  /// A claim, and how far the sweep is with it.
  struct Taker {
    Taker(SweptClaim& claim, const SegmentBuilderOptions& options) : claim(&claim), cutter(options, claim.begin) {}
    SweptClaim* claim;
    SegmentCutter cutter;
    WalPosition place;       // its next frame begins there or behind it
    Offset tail_begin;       // what lies there and above was in memory
    bool irregular = false;  // its frames do not follow each other
    bool doubtful = false;   // its next frame may lie in damage that was passed over
    bool done = false;
  };

  void Begin(Taker& taker);
  /// From memory what is there; else it awaits its frames.
  void Continue(Taker& taker);
  void TakeTail(Taker& taker);
  /// Moves at_ behind what was looked at.
  void TakeFrames(const Wal::Frames& frames);
  void TakeFrame(Taker& taker, const Wal::Frame& frame, bool copy);
  /// False: it is not taken, and the claim is at its end.
  bool Take(Taker& taker, const SharedBytes& batch);
  void End(Taker& taker);
  void EndIrregular(Taker& taker);
  [[nodiscard]] std::uint64_t RoomOf(const Taker& taker) const;
  [[nodiscard]] bool full() const { return taken_ >= options_.bytes_max; }
  /// Reads [at_, end) and moves at_; false: the sweep ends.
  bool ReadWindow(WalPosition end);
  void PassDamage(const Error& error);
  void PlaceAgain();
  void SortByPlace();

  Wal& wal_;
  const WalSweepOptions options_;
  const WalPosition end_;
  BlockEncoder encoder_;
  std::deque<Taker> takers_;
  std::vector<Taker*> by_place_;
  std::size_t begun_ = 0;  // of by_place_, from the first on
  std::unordered_map<WalStream, Taker*> under_way_;
  std::unordered_set<WalStream> streams_;  // of under_way_
  WalPosition at_;                         // looked at as far as here
  std::uint64_t taken_ = 0, others_taken_ = 0;
  std::optional<Error> error_;
};

Sweep::Sweep(Wal& wal, std::span<SweptClaim> claims, const WalSweepOptions& options)
    : wal_(wal), options_(options), end_(wal.durable_end()), encoder_(options.codec) {
  for (SweptClaim& claim : claims) {
    MR_CHECK(claim.begin < claim.end, claim.begin.value(), claim.end.value());
    Taker& taker = takers_.emplace_back(
        claim, SegmentBuilderOptions{.partition = claim.log->key(), .codec = options.codec, .encoder = &encoder_});
    if (const auto share = claim.log->ShareOf(claim.begin, kFarthest)) {
      taker.place = share->begin;
    } else {
      EndIrregular(taker);
    }
    by_place_.push_back(&taker);
  }
  SortByPlace();
}

void Sweep::SortByPlace() {
  std::ranges::sort(by_place_, {}, [](const Taker* taker) { return std::tuple(taker->place, taker->claim); });
}

std::uint64_t Sweep::RoomOf(const Taker& taker) const {
  const std::uint64_t room = options_.bytes_max - std::min(taken_, options_.bytes_max);
  if (taker.claim->first) return room;
  return std::min(room, options_.others_bytes_max - std::min(others_taken_, options_.others_bytes_max));
}

void Sweep::End(Taker& taker) {
  taker.done = true;
  under_way_.erase(taker.claim->log->stream());
  streams_.erase(taker.claim->log->stream());
}

void Sweep::EndIrregular(Taker& taker) {
  taker.irregular = true;
  End(taker);
}

bool Sweep::Take(Taker& taker, const SharedBytes& batch) {
  if (RoomOf(taker) == 0) {
    End(taker);
    return false;
  }
  if (!taker.cutter.Add(batch)) {
    EndIrregular(taker);
    return false;
  }
  taken_ += batch.size();
  if (!taker.claim->first) others_taken_ += batch.size();
  if (taker.cutter.next() < taker.claim->end) return true;
  End(taker);
  return false;
}

void Sweep::TakeTail(Taker& taker) {
  while (!taker.done && taker.cutter.next() >= taker.tail_begin) {
    const auto tail =
        taker.claim->log->ReadTail(taker.cutter.next(), std::min(RoomOf(taker), kTailBytes), Overshoot::kFirstBatch);
    if (!tail) return EndIrregular(taker);
    if (tail->batches.empty()) break;  // given up meanwhile: it is in the WAL, ahead of the sweep
    for (const SharedBytes& batch : tail->batches)
      if (!Take(taker, batch)) return;
  }
}

void Sweep::Continue(Taker& taker) {
  taker.tail_begin = taker.claim->log->tail_begin();
  if (taker.cutter.next() < taker.tail_begin) return;
  TakeTail(taker);
  if (!taker.done) taker.tail_begin = taker.claim->log->tail_begin();
}

void Sweep::Begin(Taker& taker) {
  if (taker.done) return;
  if (RoomOf(taker) == 0) return End(taker);
  under_way_.emplace(taker.claim->log->stream(), &taker);
  streams_.insert(taker.claim->log->stream());
  Continue(taker);
}

void Sweep::TakeFrame(Taker& taker, const Wal::Frame& frame, bool copy) {
  const auto view = RecordBatchView::Parse(frame.payload.bytes());
  if (!view) return EndIrregular(taker);
  if (view->end_offset() <= taker.cutter.next()) return;  // in segments, or taken from memory
  if (view->base_offset() > taker.cutter.next()) return EndIrregular(taker);
  taker.doubtful = false;
  const Offset before = taker.cutter.next();
  const bool on = Take(taker, copy ? SharedBytes::Copy(frame.payload.bytes()) : frame.payload);
  taker.place = taker.cutter.next() > before ? frame.extent.end : frame.extent.begin;
  if (on && taker.cutter.next() >= taker.tail_begin) Continue(taker);
}

void Sweep::TakeFrames(const Wal::Frames& frames) {
  std::uint64_t wanted = 0;
  for (const Wal::Frame& frame : frames.frames) wanted += frame.payload.size();
  // A few batches would keep all that was read with them in memory.
  const bool copy = wanted < static_cast<std::uint64_t>(frames.next - at_) / 2;
  for (const Wal::Frame& frame : frames.frames) {
    at_ = frame.extent.begin;
    if (full()) return;
    if (const auto taker = under_way_.find(frame.stream); taker != under_way_.end())
      TakeFrame(*taker->second, frame, copy);
  }
  at_ = frames.next;
}

bool Sweep::ReadWindow(WalPosition end) {
  const auto frames = wal_.Read(WalStreams(streams_), {at_, end}, options_.bytes_max - taken_);
  if (frames) {
    if (frames->next <= at_) return false;
    TakeFrames(*frames);
    return true;
  }
  if (frames.error().code() == ErrorCode::kCorruption) {
    PassDamage(frames.error());
    return true;
  }
  if (frames.error().code() == ErrorCode::kOutOfRange) {
    PlaceAgain();
    return true;
  }
  error_ = frames.error();
  return false;
}

/// The nearest place behind the damage from which frames can be read: no more is passed over than must be. Whoever
/// misses one there finds out by its offsets.
void Sweep::PassDamage(const Error& error) {
  std::vector<WalPosition> places;
  if (const auto damage_end = error.damage() != nullptr ? wal_.EndOf(*error.damage()) : std::nullopt;
      damage_end && *damage_end > at_)
    places.push_back(*damage_end);
  WalPosition block((at_.value() / kBlockBytes + 1) * kBlockBytes);
  for (int tries = 0; tries < kBlocksTried; ++tries, block += kBlockBytes) places.push_back(block);
  for (const auto& [stream, taker] : under_way_) {
    taker->doubtful = true;
    if (const auto next = taker->claim->log->NextInterval(at_ + 1)) places.push_back(*next);
  }
  if (begun_ < by_place_.size()) places.push_back(by_place_[begun_]->place);
  std::ranges::sort(places);
  const auto [from, to] = std::ranges::unique(places);
  places.erase(from, to);
  const WalPosition damaged = at_;
  at_ = end_;
  for (const WalPosition place : places) {
    if (place <= damaged || place >= end_) continue;
    if (!wal_.Read(WalStreams(streams_), {place, std::min(place + kWindowBytes, end_)}, 1)) continue;
    at_ = place;
    return;
  }
}

/// The WAL has dropped what lies at at_: who needed it needs it no more, or is not hot any more.
void Sweep::PlaceAgain() {
  under_way_.clear();
  streams_.clear();
  for (Taker& taker : takers_) {
    if (taker.done) continue;
    const auto share = taker.claim->log->ShareOf(taker.cutter.next(), kFarthest);
    if (share && share->begin > at_) {
      taker.place = share->begin;
    } else {
      EndIrregular(taker);
    }
  }
  SortByPlace();
  begun_ = 0;
}

void Sweep::Run() {
  while (!full()) {
    while (begun_ < by_place_.size() && by_place_[begun_]->done) ++begun_;
    if (under_way_.empty()) {  // nobody wants what lies before the next one begins
      if (begun_ == by_place_.size()) return;
      at_ = std::max(at_, by_place_[begun_]->place);
    }
    const WalPosition window_end = std::min(at_ + kWindowBytes, end_);
    while (begun_ < by_place_.size() && by_place_[begun_]->place < window_end && !full()) Begin(*by_place_[begun_++]);
    if (at_ >= end_) break;
    if (under_way_.empty() || full()) continue;
    if (RequestScope::Current().stop.stop_requested()) return;
    if (!ReadWindow(window_end)) break;
  }
  if (full() || error_) return;
  // The WAL ends, and these have not come to their end.
  for (Taker& taker : takers_)
    if (!taker.done) EndIrregular(taker);
}

void Sweep::Finish() {
  for (Taker& taker : takers_) {
    SweptClaim& claim = *taker.claim;
    // The sweep goes on there: of those under way nothing lies before it.
    const bool under_way = under_way_.contains(claim.log->stream()) && !taker.doubtful;
    if (under_way) taker.place = std::max(taker.place, at_);
    if (taker.cutter.next() < claim.end && (under_way || !taker.cutter.empty()))
      claim.log->NoteFrameAt(taker.cutter.next(), taker.place);
    if (!taker.cutter.empty()) {
      if (auto cut = taker.cutter.Finish()) {
        claim.cut = *std::move(cut);
      } else {
        claim.error = std::move(cut).error();
      }
    } else if (taker.irregular) {
      const std::uint64_t room = std::max<std::uint64_t>(RoomOf(taker), 1);
      auto cut = CutSegmentFrom(*claim.log, claim.begin, claim.end, room, options_.codec);
      if (cut) {
        taken_ += cut->raw_bytes;
        claim.cut = *std::move(cut);
      } else {
        claim.error = std::move(cut).error();
      }
    } else if (error_) {
      claim.error = error_;
    }
  }
}

}  // namespace

void SweepWal(Wal& wal, std::span<SweptClaim> claims, const WalSweepOptions& options) {
  Sweep sweep(wal, claims, options);
  sweep.Run();
  sweep.Finish();
}

}  // namespace millrace
