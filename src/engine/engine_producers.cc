// What the log remembers of producers, over restarts: from the checkpoint, and from the frames behind it. Their ids.
//
//   restored:   the checkpoint that the restore made of what the object store tells; no frames
//   recycling:  oldest position needed ─► all told of is synced ─► checkpoint on the disk ─► files go
//   closing:    nothing is staged any more ─► the same checkpoint, named in the note
//   opening:    checkpoint ─► frames that it does not tell of        after a clean close: the checkpoint the note names
#include <algorithm>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "engine/front_door.h"
#include "log/producer_checkpoint.h"

namespace millrace {

/// Before any frame is read. A file that is damaged costs what it told, and no more; one that cannot be read may be
/// whole, and the log stays shut.
Result<void> Engine::State::RestoreProducers() {
  auto stored = ReadProducerCheckpoint(*components_.file_system, layout_.wal);
  if (!stored && stored.error().code() != ErrorCode::kCorruption) return stored.error();
  if (!stored)
    events_.Tell({.kind = EventKind::kDamageFound,
                  .message = "what was known of producers is lost but for what frames tell",
                  .error = stored.error()});
  if (!stored || !*stored) return {};
  ProducerCheckpoint& checkpoint = (*stored)->checkpoint;
  const auto topics = registry_.Topics();  // in the order of their ids, as metadata lists them
  std::erase_if(checkpoint.states, [&](const ProducerState& state) {
    const PartitionKey key = Partition::KeyOf(state.stream);
    const auto topic = std::ranges::lower_bound(topics, key.topic, {}, &Topic::id);
    return topic == topics.end() || (*topic)->id() != key.topic || (*topic)->Find(key.partition) == nullptr;
  });
  producers_.Restore(checkpoint.states);
  MutexLock lock(kept_producers_mutex_);
  kept_producers_ = {.changes = producers_.changes(), .wal_end = checkpoint.wal_end, .checksum = (*stored)->checksum};
  return {};
}

/// Once the frames are in. A line that ends before what was synced is another line: what it is told of it is not so.
Result<void> Engine::State::FinishProducers() {
  bool foreign = false;
  {
    MutexLock lock(kept_producers_mutex_);
    foreign = kept_producers_ && kept_producers_->wal_end > wal_.end();
    if (foreign) kept_producers_.reset();
  }
  if (foreign) {
    producers_.Clear();
    MR_TRY(RemoveProducerCheckpoint(*components_.file_system, layout_.wal));
  }
  producers_.Expire(time_.WallMs());
  return {};
}

void Engine::State::ExpireProducers() {
  if (time_.known() && !time_.doubted()) producers_.Expire(time_.WallMs());
}

/// Only what is synced may be told: what a crash takes back was never appended, and its place goes to other frames.
Result<void> Engine::State::KeepProducers() {
  const std::uint64_t changes = producers_.changes();  // before the look: what changes meanwhile is kept another time
  {
    MutexLock lock(kept_producers_mutex_);
    if (kept_producers_ ? kept_producers_->changes == changes : changes == 0) return {};
  }
  ProducerCheckpoint checkpoint{.wal_end = {}, .states = producers_.All()};
  for (const ProducerState& state : checkpoint.states) checkpoint.wal_end = std::max(checkpoint.wal_end, state.wal_end);
  if (!Planted(Bug::kLogCheckpointBeforeSync)) MR_TRY(wal_.AwaitDurable(checkpoint.wal_end));
  MutexLock lock(kept_producers_mutex_);
  if (kept_producers_ && kept_producers_->changes > changes) return {};  // another caller told more
  auto written = WriteProducerCheckpoint(*components_.file_system, layout_.wal, checkpoint);
  if (!written) return written.error().WithContext("cannot keep what is known of producers");
  kept_producers_ = {.changes = changes, .wal_end = checkpoint.wal_end, .checksum = *written};
  return {};
}

/// Also of batches that are in no object yet: who restores the log believes only those that are.
std::vector<KnownProducer> Engine::State::KnownProducers() const {
  std::vector<KnownProducer> known;
  for (const ProducerState& state : producers_.All())
    known.push_back(
        {.partition = Partition::KeyOf(state.stream), .touched_ms = state.touched_ms, .window = state.window});
  return known;
}

/// For the note of a clean close; none: there is no checkpoint.
std::optional<PartitionSnapshot> Engine::State::ProducersInNote() const {
  MutexLock lock(kept_producers_mutex_);
  if (!kept_producers_) return std::nullopt;
  return PartitionSnapshot{
      .stream = kProducersInNote,
      .begin = Offset(0),
      .end = Offset(0),
      .index = WalIndex::Restored({}, kept_producers_->wal_end, std::uint64_t{kept_producers_->checksum})};
}

bool Engine::State::ProducersAreAsNoted(const std::optional<PartitionSnapshot>& noted) const {
  MutexLock lock(kept_producers_mutex_);
  if (!noted || !kept_producers_) return noted.has_value() == kept_producers_.has_value();
  return noted->index.end() == kept_producers_->wal_end && noted->index.bytes_total() == kept_producers_->checksum;
}

Result<std::int64_t> Engine::NewProducerId() noexcept {
  return Changing(*state_, [](State& state) { return state.producer_ids_.Take(); });
}

}  // namespace millrace
