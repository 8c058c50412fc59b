#include <fmt/format.h>

#include <algorithm>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "log/partition_log.h"
#include "log/partition_log_state.h"
#include "log/partition_snapshot.h"
#include "log/producer_state_table.h"
#include "record/record_batch_view.h"

namespace millrace {

// What the WAL still holds of a partition is a run of batches that ends at its last append. The metadata row says what
// is in segments; where the run and the row disagree, this decides:
//
//   run begins at or below tiered_end            hot and cold overlap or touch: fine
//   gap, wholly below tiered_end                 covered by segments: the hot run begins behind it
//   gap, and damage was found in it              lost: reads there are kCorruption, appends go on above
//   gap without damage, overlap                  cannot be: the partition answers kCorruption
//   a damaged frame that names us                lost likewise; no other partition looks at it
//   damage behind the last frame                 it may have held batches of ours: as many offsets as fit in its bytes
//                                                are given up, so that no offset is given twice and no loss is silent;
//                                                not if it held one frame, and another partition misses that one
//   run ends below tiered_end                    the disk was lost or replaced: start at tiered_end

Result<void> PartitionLogState::Break(Error error) {
  if (!broken) broken = error;
  return error;
}

void PartitionLogState::AddHole(Offset begin, Offset end) {
  MR_CHECK(!recovery.damage.empty() && begin < end, begin.value(), end.value());
  MR_CHECK(holes.empty() || holes.back().end <= begin, holes.back().end.value(), begin.value());
  const WalDamage& first = recovery.damage.front().found;
  Hole hole = {.begin = begin, .end = end, .damage = {}, .at = first.extent.begin};
  hole.damage = {.partition = options.name,
                 .begin = begin,
                 .end = end,
                 .place = first.file,
                 .byte_begin = first.byte_begin,
                 .byte_end = first.byte_end};
  for (const Recovery::Damage& more : recovery.damage)
    if (more.found.file == first.file) hole.damage.byte_end = std::max(hole.damage.byte_end, more.found.byte_end);
  if (recovery.damage.size() == 1 && first.one_frame && !first.stream) recovery.explained.push_back(first.extent.begin);
  holes.push_back(std::move(hole));
}

/// A frame of ours that is damaged tells how many offsets it held, or is counted like damage that may be any
/// partition's: at most as many offsets as bytes behind the headers of a frame and of a batch.
Offset PartitionLogState::LostEnd(Offset log_end) const {
  constexpr std::int64_t kOverhead = 56 + 61;
  for (const Recovery::Damage& damage : recovery.damage) {
    const std::int64_t bytes = damage.found.extent.end - damage.found.extent.begin;
    const std::int64_t fits =
        damage.found.extent.end <= damage.found.extent.begin ? 1 : std::max<std::int64_t>(bytes - kOverhead, 0);
    log_end = log_end + damage.offsets.value_or(damage.found.stream ? std::max<std::int64_t>(fits, 1) : fits);
  }
  return log_end;
}

Result<void> PartitionLogState::BridgeGap(Offset expected, Offset base) {
  MR_CHECK(expected < base, expected.value(), base.value());
  const Offset tiered_end = offsets.tiered_end();
  const Offset uncovered = std::max(expected, tiered_end);
  if (uncovered < base && recovery.damage.empty())
    return Break(Error(ErrorCode::kCorruption,
                       fmt::format("{}-{}: the WAL goes on at offset {} where {} was expected", options.name.topic,
                                   options.name.partition.value(), base.value(), expected.value()),
                       "the partition takes no appends; `millrace inspect wal` shows the frames"));
  if (expected <= tiered_end) {  // all before the gap is in segments
    index.Clear();
    recovery.run_begin = std::min(base, tiered_end);
  }
  if (uncovered < base) AddHole(uncovered, base);
  return {};
}

Result<void> PartitionLog::RecoverFrame(WalExtent extent, std::span<const std::byte> batch) {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  PartitionLogState::Recovery& recovery = s.recovery;
  MR_CHECK(!recovery.finished);
  if (s.broken) return *s.broken;
  const Result<RecordBatchView> view = RecordBatchView::Parse(batch);
  if (!view) return s.Break(view.error().WithContext("a frame of the WAL holds no whole batch"));
  const Offset base = view->base_offset(), expected = recovery.run_end.value_or(s.offsets.tiered_end());
  if (!recovery.run_end && base <= expected) {
    recovery.run_begin = base;
  } else if (base > expected) {
    MR_TRY(s.BridgeGap(expected, base));
  } else if (base < expected) {
    return s.Break(Error(ErrorCode::kCorruption,
                         fmt::format("{}-{}: the WAL holds offset {} twice", s.options.name.topic,
                                     s.options.name.partition.value(), base.value()),
                         "the partition takes no appends; `millrace inspect wal` shows the frames"));
  }
  recovery.run_end = view->end_offset();
  MR_CHECK(recovery.run_begin && *recovery.run_begin <= base && base < *recovery.run_end, base.value());
  recovery.damage.clear();
  recovery.epoch = std::max(recovery.epoch, view->leader_epoch());
  if (s.options.producers != nullptr && view->producer_id() >= 0 && !Planted(Bug::kLogProducersNotRebuilt))
    s.options.producers->Recover(s.options.stream,
                                 {.id = view->producer_id(),
                                  .epoch = view->producer_epoch(),
                                  .first = view->base_sequence(),
                                  .count = view->record_count()},
                                 {.base = base, .timestamp_ms = view->max_timestamp_ms(), .extent = extent});
  const std::int64_t appended_ms = std::min(view->max_timestamp_ms(), s.clock.WallMs());
  s.index.Add(base, extent, batch.size(), view->max_timestamp_ms(), s.index.OpensInterval(extent.begin), appended_ms);
  return {};
}

void PartitionLog::RecoverDamage(const WalDamage& damage) {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  MR_CHECK(!s.recovery.finished);
  s.recovery.damage.push_back({damage, {}});
}

void PartitionLog::RecoverDamagedFrame(const WalDamage& damage, std::span<const std::byte> payload) {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  PartitionLogState::Recovery& recovery = s.recovery;
  MR_CHECK(!recovery.finished);
  PartitionLogState::Recovery::Damage found{damage, {}};
  // Any byte of the frame may be the wrong one: it is believed only where it agrees with the frames before it.
  const Offset expected = s.LostEnd(recovery.run_end.value_or(s.offsets.tiered_end()));
  if (const auto view = RecordBatchView::Parse(payload); view && view->size_bytes() == payload.size()) {
    const std::int64_t count = view->end_offset() - view->base_offset();
    if (view->base_offset() == expected && count == view->record_count()) found.offsets = count;
    if (!recovery.run_end && view->end_offset() <= expected && count == view->record_count()) return;  // in segments
  }
  recovery.damage.push_back(std::move(found));
}

std::vector<WalPosition> PartitionLog::FramesLostHere() const {
  MutexLock lock(state_->mutex);
  return state_->recovery.explained;
}

void PartitionLog::Acquit(std::span<const WalPosition> places) {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  MR_CHECK(!s.recovery.finished);
  if (Planted(Bug::kLogDamageSpreads)) return;
  std::erase_if(s.recovery.damage, [&](const PartitionLogState::Recovery::Damage& damage) {
    return !damage.found.stream && std::ranges::find(places, damage.found.extent.begin) != places.end();
  });
}

Result<void> PartitionLog::FinishRecovery() {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  PartitionLogState::Recovery& recovery = s.recovery;
  MR_CHECK(!recovery.finished);
  recovery.finished = true;
  MR_CHECK(recovery.run_begin.has_value() == recovery.run_end.has_value(), recovery.run_end.has_value());
  PartitionOffsets found = s.offsets.all();  // everything at tiered_end
  if (recovery.run_end.value_or(found.tiered_end) < found.tiered_end) {
    s.index.Clear();  // what the WAL lacks at its end is in segments
  } else {
    if (recovery.run_end) {
      found.log_end = *recovery.run_end;
      found.hot_start = *recovery.run_begin;
    }
    if (Planted(Bug::kLogOffsetOffByOneAfterRecovery) && found.log_end > found.tiered_end)
      found.log_end = found.log_end - 1;
    if (const Offset end = s.LostEnd(found.log_end); end > found.log_end) {
      s.AddHole(found.log_end, end);
      found.log_end = end;
    }
  }
  found.durable_end = found.log_end;
  s.offsets.Start(found);
  for (const PartitionLogState::Hole& hole : s.holes) s.damage_found.push_back(hole.damage);
  recovery.found_ms = s.holes.empty() ? 0 : s.clock.WallMs();
  s.index.CloseInterval();
  s.CheckInvariants();
  if (s.broken) return *s.broken;
  return {};
}

std::optional<Error> PartitionLog::broken() const {
  MutexLock lock(state_->mutex);
  return state_->broken;
}

std::vector<DamagedRange> PartitionLog::damage_found() const {
  MutexLock lock(state_->mutex);
  return state_->damage_found;
}

bool PartitionLog::damaged() const {
  MutexLock lock(state_->mutex);
  return !state_->damage_found.empty();
}

std::optional<PartitionSnapshot> PartitionLog::TakeSnapshot() const {
  const PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  if (s.broken || !s.recovery.finished || !s.holes.empty()) return std::nullopt;
  PartitionSnapshot run = {
      .stream = s.options.stream, .begin = s.offsets.log_end(), .end = s.offsets.log_end(), .index = s.index.Copy()};
  if (!s.index.empty()) run.begin = s.index[0].base;
  return run;
}

bool PartitionLog::CanRestoreSnapshot(const PartitionSnapshot& run) const {
  const PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  return !s.broken && !s.recovery.finished && run.begin <= s.offsets.tiered_end();
}

void PartitionLog::RestoreSnapshot(PartitionSnapshot run) {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  MR_CHECK(!s.recovery.finished && !s.recovery.run_end && run.begin <= run.end, run.begin.value(), run.end.value());
  MR_CHECK(run.stream == s.options.stream && s.holes.empty(), run.stream.value(), s.options.stream.value());
  s.recovery.run_begin = run.begin;
  s.recovery.run_end = run.end;
  s.index.Adopt(run.index);
}

}  // namespace millrace
