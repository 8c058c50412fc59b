// What moves between tiers on demand, what is forgotten, and how all of it stands.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "engine/front_door.h"
#include "meta/segment_catalog.h"
#include "tier/log_start.h"

namespace millrace {
namespace {

constexpr std::size_t kSegmentsPage = 10'000;

}  // namespace

Result<void> Engine::Upload() noexcept {
  return Changing(*state_, [](State& state) { return state.uploader_.UploadAll(state.registry_); });
}

Result<void> Engine::Recycle() noexcept {
  return Changing(*state_, [&](State& state) -> Result<void> {
    MR_TRY(state.retention_.ForgetConsumedOnce(state.registry_));
    MR_TRY(state.recycler_.RecycleOnce(state.registry_, DiskWal::Seal::kSealActive));
    return {};
  });
}

Result<std::vector<SegmentDescription>> Engine::DescribeSegments(const TopicPartition& partition) noexcept {
  return Inside(*state_, [&](State& state) -> Result<std::vector<SegmentDescription>> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    std::vector<SegmentDescription> descriptions;
    Offset from(0);
    while (true) {
      MR_TRY(state.CheckOpen());  // Close waits for this call
      MR_ASSIGN_OR_RETURN(const auto rows,
                          SegmentCatalog(*state.components_.metadata).Segments(found->key(), from, kSegmentsPage));
      for (const SegmentRow& row : rows) {
        if (row.is_gap()) {
          const LossReason reason = row.is_lost_disk() ? LossReason::kLostDisk : LossReason::kDamage;
          descriptions.push_back(
              {.partition = partition, .base = row.base, .end = row.end, .object = {}, .gap_reason = reason});
          continue;
        }
        MR_ASSIGN_OR_RETURN(const auto object, SegmentCatalog(*state.components_.metadata).FindObject(row.object));
        if (!object)
          return Error(ErrorCode::kCorruption,
                       fmt::format("metadata has a segment of {}/{} at offset {} and no object "
                                   "it lies in",
                                   partition.topic, partition.partition.value(), row.base.value()));
        descriptions.push_back({.partition = partition,
                                .base = row.base,
                                .end = row.end,
                                .object = object->key,
                                .byte_begin = row.byte_begin,
                                .byte_size = row.byte_size,
                                .records = row.records,
                                .timestamp_min_ms = row.timestamp_min_ms,
                                .timestamp_max_ms = row.timestamp_max_ms});
      }
      if (rows.size() < kSegmentsPage) return descriptions;
      MR_DCHECK(rows.back().end > from, rows.back().end.value(), from.value());
      from = rows.back().end;
    }
  });
}

Result<SharedBytes> Engine::ReadSegment(const SegmentDescription& segment, ByteRange range) noexcept {
  return Inside(*state_, [&](State& state) -> Result<SharedBytes> {
    if (range.offset > segment.byte_size || range.length > segment.byte_size - range.offset)
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("bytes [{}, {}) are not within a segment of {} bytes", range.offset,
                               range.offset + range.length, segment.byte_size));
    if (range.length == 0) return SharedBytes();
    auto bytes = state.objects_->Get(segment.object, {segment.byte_begin + range.offset, range.length});
    const bool is_short = bytes ? bytes->size() < range.length : bytes.error().code() == ErrorCode::kOutOfRange;
    if (!is_short) return bytes;
    const std::uint64_t begin = segment.byte_begin + range.offset;
    return Error(ErrorCode::kCorruption,
                 fmt::format("object {} ends before byte {}, where a segment of {}/{} goes on", segment.object,
                             begin + range.length, segment.partition.topic, segment.partition.partition.value()))
        .WithDamage({.partition = segment.partition,
                     .begin = segment.base,
                     .end = segment.end,
                     .place = segment.object,
                     .byte_begin = begin,
                     .byte_end = begin + range.length});
  });
}

Result<Offset> Engine::DeleteRecords(const TopicPartition& partition, Offset before) noexcept {
  return Changing(*state_, [&](State& state) -> Result<Offset> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    MR_TRY(found->CheckAlive());
    PartitionLog& log = found->log();
    MR_TRY(log.Sync({}));
    const OffsetBounds bounds{log.offsets().log_start, log.visible_end()};
    if (before < Offset(0) || before > bounds.end)
      return Error(ErrorCode::kOutOfRange, fmt::format("{}/{} has offsets {} to {}: nothing can be deleted up to {}",
                                                       partition.topic, partition.partition.value(),
                                                       bounds.log_start.value(), bounds.end.value(), before.value()))
          .WithBounds(bounds);
    if (before <= bounds.log_start) return bounds.log_start;
    MR_ASSIGN_OR_RETURN(const PartitionRow row,
                        AdvanceLogStart(*found, *state.components_.metadata, before, state.time_.WallMs()));
    MR_DCHECK(row.log_start >= before, row.log_start.value(), before.value());
    state.CollectIfNear();
    return row.log_start;
  });
}

Result<PartitionOffsets> Engine::Offsets(const TopicPartition& partition) noexcept {
  return Inside(*state_, [&](State& state) -> Result<PartitionOffsets> {
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    MR_TRY(found->CheckAlive());
    return found->log().offsets();
  });
}

Result<MaintenanceReport> Engine::Maintain(std::optional<std::chrono::milliseconds> time_max) noexcept {
  return Changing(*state_, [&](State& state) {
    return state.housekeeper_.Maintain({.time_max = time_max, .objects_are_near = state.components_.objects_are_near});
  });
}

Result<void> Engine::TrustClock() noexcept {
  return Changing(*state_, [&](State& state) -> Result<void> {
    state.time_.Trust();
    MR_TRY(state.KeepTime(std::chrono::milliseconds(0)));
    state.housekeeper_.Poke();
    return {};
  });
}

EngineStats Engine::Stats() const noexcept {
  const State& state = *state_;
  const CallGate::Pass pass(&state_->calls());  // counted, and told of a closed engine too
  EngineStats stats;
  stats.read = {.tail = state.read_counters_.tail_bytes,
                .wal = state.read_counters_.wal_bytes,
                .block_cache = state.read_counters_.block_cache_bytes,
                .segment_cache = state.read_counters_.segment_cache_bytes,
                .object_store = state.read_counters_.object_store_bytes};
  stats.corruptions = state.read_counters_.corruptions;
  stats.block_cache = state.blocks_.Stats();
  if (state.segment_cache_) {
    const SegmentCacheStats cache = state.segment_cache_->Stats();
    stats.segment_cache = cache;
    stats.cache_failure = cache.failure;
  }
  stats.read_only = state.options_.read_only;
  stats.object_store = state.components_.home;
  if (state.follower_) stats.follow = state.follower_->Stats();
  if (state.claim_.is_fenced()) stats.fenced = state.claim_.fenced();
  RefusedDeletions undeletable = state.collector_.undeletable();
  stats.undeletable = undeletable.objects;
  stats.undeletable_since_ms = undeletable.since_ms;
  stats.undeletable_why = std::move(undeletable.why);
  stats.positions_corrected = state.cursors_.corrected() + state.positions_.corrected();
  stats.read_memory_bytes = state.read_memory_.bytes();
  stats.prefetch_used_bytes = state.read_counters_.prefetch_used_bytes;
  stats.prefetch_wasted_bytes = state.read_counters_.prefetch_wasted_bytes;
  for (Topic* topic : state.registry_.TopicsEver()) {
    for (Partition* partition : topic->partitions()) {
      stats.appends += partition->appends();
      stats.appended_bytes += partition->appended_bytes();
    }
  }
  const ProducerStateTable::Counts producers = state.producers_.counts();
  stats.producers = producers.states;
  stats.producers_evicted = producers.evicted;
  stats.producers_expired = producers.expired;
  stats.appends_repeated = producers.repeated;
  for (Topic* topic : state.registry_.Topics())
    for (Partition* partition : topic->partitions()) {
      stats.upload_pending_bytes += partition->log().pending().bytes;
      stats.wal_index_bytes += partition->log().index_bytes();
      stats.damaged_partitions += partition->log().damaged() ? 1 : 0;
      stats.broken_partitions += partition->log().broken() ? 1 : 0;
    }
  stats.upload_failure = state.uploader_.schedule().Failure();
  stats.upkeep_failure = state.housekeeper_.failure();
  stats.clock_doubted = state.time_.doubted();
  const WalStats wal = state.wal_.Stats();
  stats.wal_syncs = wal.syncs;
  stats.wal_read_bytes = wal.read_bytes;
  stats.wal_bytes = state.wal_.space().used;
  stats.io_path = wal.io_path;
  const ObjectRequestCounts requests = state.metered_->Counts();
  stats.object_puts = requests.puts;
  stats.object_gets = requests.gets;
  stats.object_lists = requests.lists;
  return stats;
}

void Engine::State::CollectIfNear() {
  if (components_.objects_are_near && options_.upload.delete_grace.value_or(std::chrono::milliseconds(0)).count() == 0)
    (void)collector_.CollectStep();  // what fails now is tried again in the background
  housekeeper_.Poke();
}

}  // namespace millrace
