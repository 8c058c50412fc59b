#include "engine/partition_access.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "engine/front_door.h"
#include "engine/room_queue.h"
#include "read/time_lookup.h"

namespace millrace {

PartitionAccess::PartitionAccess(Engine& engine)
    : state_(Engine::State::Of(engine)),
      ladder_(state_.wal_, state_.uploader_.schedule()),
      image_(state_.registry_),
      room_(std::make_unique<RoomQueue>(state_.appender_, *state_.calls_,
                                        RoomQueue::Options{.wait_max = state_.options_.append_wait_max,
                                                           .threads = state_.background_ == Background::kThreads},
                                        *state_.components_.clock)) {}

PartitionAccess::~PartitionAccess() = default;

Wal& PartitionAccess::wal() const { return state_.wal_; }

CallGate& PartitionAccess::calls() const { return *state_.calls_; }

Clock& PartitionAccess::clock() const { return *state_.components_.clock; }

std::shared_ptr<const MetadataImage> PartitionAccess::image() { return image_.Get(); }

bool PartitionAccess::IsCurrent(const MetadataImage& image) const { return image_.IsCurrent(image); }

PartitionHandle PartitionAccess::Find(std::string_view topic, PartitionId partition) const {
  const Topic* found = state_.registry_.Find(topic);
  return PartitionHandle(found == nullptr ? nullptr : found->Find(partition));
}

PartitionHandle PartitionAccess::Find(const TopicUuid& topic, PartitionId partition) {
  const auto image = image_.Get();
  const TopicImage* found = image->Find(topic);
  const auto index = static_cast<std::size_t>(static_cast<std::uint32_t>(partition.value()));
  if (found == nullptr || index >= found->partitions.size()) return {};
  return found->partitions[index].handle;
}

Result<Partition*> PartitionAccess::Alive(PartitionHandle handle) {
  if (!handle) return Error(ErrorCode::kNotFound, "there is no such partition");
  MR_TRY(handle.partition_->CheckAlive());
  return handle.partition_;
}

Result<void> PartitionAccess::CheckAlive(PartitionHandle partition) const {
  return Inside(state_, [&](Engine::State&) -> Result<void> {
    MR_TRY(Alive(partition));
    return {};
  });
}

Durability PartitionAccess::durability(PartitionHandle partition) const {
  return PartitionOf(partition).settings().durability();
}

Result<StagedBatch> PartitionAccess::TryAppend(PartitionHandle partition, Buffer& batch) {
  PartitionLog::Effects effects;
  auto staged = TryAppend(partition, batch, effects);
  if (staged) Run(partition, std::move(effects));
  return staged;
}

Result<StagedBatch> PartitionAccess::TryAppend(PartitionHandle partition, Buffer& batch,
                                               PartitionLog::Effects& effects) {
  return Changing(state_, [&](Engine::State&) -> Result<StagedBatch> {
    const auto alive = Alive(partition);
    if (!alive) return alive.error().WithRetryable(false);  // no room would help
    const std::uint64_t bytes = batch.size();
    MR_ASSIGN_OR_RETURN(const AppendedBatch appended, (*alive)->log().TryAppend(batch, effects));
    if (!appended.repeated) (*alive)->OnAppended(bytes);
    return StagedBatch{.base = appended.base,
                       .end = appended.end,
                       .timestamp_ms = appended.timestamp_max_ms,
                       .wal_end = appended.wal_end,
                       .repeated = appended.repeated};
  });
}

void PartitionAccess::Run(PartitionHandle partition, PartitionLog::Effects effects) {
  if (effects.calls.empty() && !effects.sync) return;
  // After Close too: the readers were taken out of the log, and no one else calls them.
  const CallGate::Pass pass(&calls());
  PartitionOf(partition).log().Run(std::move(effects));
}

bool PartitionAccess::NeedsRoom(const Error& error) {
  return error.retryable() && (error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kOutOfSpace);
}

void PartitionAccess::OnRoom(std::uint64_t bytes, std::move_only_function<void(const Result<void>&)> done) {
  room_->Add(bytes, std::move(done));
}

Result<TailRead> PartitionAccess::ReadTail(PartitionHandle partition, Offset begin, std::uint64_t bytes_max,
                                           Overshoot overshoot) {
  return Inside(state_, [&](Engine::State& state) -> Result<TailRead> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    MR_ASSIGN_OR_RETURN(TailRead read, found->log().ReadTail(begin, bytes_max, overshoot));
    std::uint64_t bytes = 0;
    for (const SharedBytes& batch : read.batches) bytes += batch.size();
    state.read_counters_.tail_bytes.fetch_add(bytes, std::memory_order_relaxed);
    return read;
  });
}

Result<BatchReadResult> PartitionAccess::Read(PartitionHandle partition, Offset begin, const ReadLimits& limits,
                                              Overshoot overshoot) {
  return Inside(state_, [&](Engine::State&) -> Result<BatchReadResult> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    MR_ASSIGN_OR_RETURN(BatchReadResult read, found->ReadBatches(begin, limits));
    if (overshoot == Overshoot::kFirstBatch || read.batches.empty() || read.batches.front().size() <= limits.bytes_max)
      return read;
    read.batches.clear();  // it came alone
    read.next = begin;
    return read;
  });
}

Result<PartitionMarks> PartitionAccess::Marks(PartitionHandle partition) {
  return Inside(state_, [&](Engine::State&) -> Result<PartitionMarks> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    PartitionMarks marks{.offsets = found->log().offsets()};
    marks.visible_end =
        state_.options_.sync.kind == SyncPolicy::Kind::kEach ? marks.offsets.durable_end : marks.offsets.log_end;
    return marks;
  });
}

Result<CountedBytes> PartitionAccess::VisibleBytes(PartitionHandle partition, Offset begin, std::uint64_t enough) {
  return Inside(state_, [&](Engine::State&) -> Result<CountedBytes> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    return found->log().VisibleBytes(begin, enough);
  });
}

Result<std::optional<TimedOffset>> PartitionAccess::LookupTime(PartitionHandle partition, std::int64_t timestamp_ms) {
  return Inside(state_, [&](Engine::State& state) -> Result<std::optional<TimedOffset>> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    return TimeLookup(found->log(), found->segments(), found->reader(), state.read_context_)
        .FirstAtOrPast(timestamp_ms);
  });
}

Result<std::optional<TimedOffset>> PartitionAccess::LookupMaxTimestamp(PartitionHandle partition) {
  return Inside(state_, [&](Engine::State& state) -> Result<std::optional<TimedOffset>> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    return TimeLookup(found->log(), found->segments(), found->reader(), state.read_context_).FindLatest();
  });
}

std::optional<std::int64_t> PartitionAccess::TryNewProducerId() {
  const CallGate::Pass pass(&calls());
  return pass ? state_.producer_ids_.TryTake() : std::nullopt;
}

Result<std::int64_t> PartitionAccess::NewProducerId() {
  return Changing(state_, [](Engine::State& state) { return state.producer_ids_.Take(); });
}

Result<LeaderEpoch> PartitionAccess::Epoch(PartitionHandle partition) {
  return Inside(state_, [&](Engine::State&) -> Result<LeaderEpoch> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    return found->log().epoch();
  });
}

Result<LeaderEpoch> PartitionAccess::EpochAt(PartitionHandle partition, Offset offset) {
  return Inside(state_, [&](Engine::State&) -> Result<LeaderEpoch> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    return found->log().EpochAt(offset);
  });
}

Result<std::optional<EpochEnd>> PartitionAccess::EndOfEpoch(PartitionHandle partition, LeaderEpoch epoch) {
  return Inside(state_, [&](Engine::State&) -> Result<std::optional<EpochEnd>> {
    MR_ASSIGN_OR_RETURN(Partition * found, Alive(partition));
    return found->log().EndOfEpoch(epoch);
  });
}

}  // namespace millrace
