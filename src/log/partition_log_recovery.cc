#include <fmt/format.h>

#include <algorithm>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "log/hot_run.h"
#include "log/partition_log_state.h"
#include "record/record_batch_view.h"

namespace millrace {

// What the WAL still holds of a partition is a run of batches that ends at its last append. The metadata row says what
// is in segments; where the run and the row disagree, this decides:
//
//   run begins at or below tiered_end            hot and cold overlap or touch: fine
//   gap, wholly below tiered_end                 covered by segments: the hot run begins behind it
//   gap, and damage was found in it              lost: reads there are kCorruption, appends go on above
//   gap without damage, overlap                  cannot be: the partition answers kCorruption
//   damage behind the last frame                 it may have held batches of ours: as many offsets as it has bytes are
//                                                given up, so that no offset is given twice and no loss is silent
//   run ends below tiered_end                    the disk was lost or replaced: start at tiered_end

Result<void> PartitionLog::State::Break(Error error) {
  if (!broken) broken = error;
  return error;
}

void PartitionLog::State::AddHole(Offset begin, Offset end) {
  MR_CHECK(recovery.damage && begin < end, begin.value(), end.value());
  DamagedRange damage = *recovery.damage;
  damage.partition = options.name;
  damage.begin = begin;
  damage.end = end;
  holes.push_back({begin, end, std::move(damage)});
}

Result<void> PartitionLog::State::BridgeGap(Offset expected, Offset base) {
  const Offset tiered_end = offsets.tiered_end();
  const Offset uncovered = std::max(expected, tiered_end);
  if (uncovered < base && !recovery.damage)
    return Break(Error(ErrorCode::kCorruption,
                       fmt::format("{}-{}: the WAL goes on at offset {} where {} was expected", options.name.topic,
                                   options.name.partition.value(), base.value(), expected.value()),
                       "the partition takes no appends; `millrace inspect wal` shows the frames"));
  if (expected <= tiered_end) {  // all before the gap is in segments
    index.Clear();
    holes.clear();
    recovery.run_begin = std::min(base, tiered_end);
  }
  if (uncovered < base) AddHole(uncovered, base);
  return {};
}

Result<void> PartitionLog::RecoverFrame(WalExtent extent, std::span<const std::byte> batch) {
  State& s = *state_;
  MutexLock lock(s.mutex);
  State::Recovery& recovery = s.recovery;
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
  recovery.damage.reset();
  recovery.damage_bytes = 0;
  const std::int64_t appended_ms = std::min(view->max_timestamp_ms(), s.clock.WallMs());
  s.index.Add(base, extent, batch.size(), view->max_timestamp_ms(), s.index.OpensStretch(extent.begin), appended_ms);
  return {};
}

void PartitionLog::RecoverDamage(const WalDamage& damage) {
  State& s = *state_;
  MutexLock lock(s.mutex);
  MR_CHECK(!s.recovery.finished);
  const std::int64_t bytes = damage.extent.end - damage.extent.begin;
  s.recovery.damage_bytes += bytes > 0 ? static_cast<std::uint64_t>(bytes) : 1;
  if (!s.recovery.damage) {
    s.recovery.damage =
        DamagedRange{.place = damage.file, .byte_begin = damage.byte_begin, .byte_end = damage.byte_end};
  } else if (s.recovery.damage->place == damage.file) {
    s.recovery.damage->byte_end = std::max(s.recovery.damage->byte_end, damage.byte_end);
  }
}

Result<void> PartitionLog::FinishRecovery() {
  State& s = *state_;
  MutexLock lock(s.mutex);
  State::Recovery& recovery = s.recovery;
  MR_CHECK(!recovery.finished);
  recovery.finished = true;
  PartitionOffsets found = s.offsets.all();  // everything at tiered_end
  if (recovery.run_end.value_or(found.tiered_end) < found.tiered_end) {
    s.index.Clear();  // what the WAL lacks at its end is in segments
    s.holes.clear();
  } else {
    if (recovery.run_end) {
      found.log_end = *recovery.run_end;
      found.hot_start = *recovery.run_begin;
    }
    if (Planted(Bug::kLogOffsetOffByOneAfterRecovery) && found.log_end > found.tiered_end)
      found.log_end = found.log_end - 1;
    if (recovery.damage) {
      const Offset end = found.log_end + static_cast<std::int64_t>(recovery.damage_bytes);
      s.AddHole(found.log_end, end);
      found.log_end = end;
    }
  }
  found.durable_end = found.log_end;
  s.offsets.Start(found);
  s.index.CloseStretch();
  if (s.broken) return *s.broken;
  return {};
}

std::optional<HotRun> PartitionLog::SaveRun() const {
  const State& s = *state_;
  MutexLock lock(s.mutex);
  if (s.broken || !s.recovery.finished || !s.holes.empty()) return std::nullopt;
  HotRun run = {.stream = s.options.stream, .begin = s.offsets.log_end(), .end = s.offsets.log_end(), .index = s.index};
  if (!s.index.empty()) run.begin = s.index[0].base;
  return run;
}

bool PartitionLog::CanRestoreRun(const HotRun& run) const {
  const State& s = *state_;
  MutexLock lock(s.mutex);
  return !s.broken && !s.recovery.finished && run.begin <= s.offsets.tiered_end();
}

void PartitionLog::RestoreRun(HotRun run) {
  State& s = *state_;
  MutexLock lock(s.mutex);
  MR_CHECK(!s.recovery.finished && !s.recovery.run_end && run.begin <= run.end, run.begin.value(), run.end.value());
  s.recovery.run_begin = run.begin;
  s.recovery.run_end = run.end;
  s.index = std::move(run.index);
}

}  // namespace millrace
