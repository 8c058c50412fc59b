#include "engine/commit_turn.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/call_gate.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "base/try.h"
#include "engine/append_ladder.h"
#include "engine/partition.h"
#include "millrace/clock.h"

namespace millrace {
namespace {

constexpr int kEstimateShare = 8;  // of the estimate that each sync replaces

std::string At(const TopicPartition& name, Offset base, std::string_view how) {
  return fmt::format("{}/{} offset {} {}", name.topic, name.partition.value(), base.value(), how);
}

}  // namespace

/// What the loop alone touches; what other threads send comes through the mailbox.
struct CommitTurn::State : std::enable_shared_from_this<State> {
  struct Entry {
    PartitionHandle partition;
    StagedAppend append;
    CommitOutcome outcome;
    Done done;
  };
  /// Staged in one turn and not told yet.
  struct Group {
    std::chrono::nanoseconds begun{};
    std::vector<Entry> entries;
    std::size_t untold = 0;
  };
  /// What the WAL or the upload schedule says.
  struct Letter {
    std::uint64_t group = 0;
    std::optional<std::size_t> entry;  // whose upload it was; none: the sync of the group
    Result<void> reached;
    std::chrono::nanoseconds at{};
  };
  /// Outlives the turn while the WAL or the schedule still calls.
  struct Mailbox {
    explicit Mailbox(Post post) : post(std::move(post)) {}
    void Send(Letter letter) {
      const Gate::Pass pass = gate.Enter();
      if (!pass) return;
      {
        MutexLock lock(mutex);
        letters.push_back(std::move(letter));
        if (std::exchange(posted, true)) return;
      }
      CheckNoMutexHeld();
      post([turn = turn] {
        if (const auto open = turn.lock()) open->Deliver();
      });
    }
    std::vector<Letter> Take() {
      MutexLock lock(mutex);
      posted = false;
      return std::exchange(letters, {});
    }

    const Post post;
    std::weak_ptr<State> turn;  // set before the first letter
    Gate gate;
    Mutex mutex;
    std::vector<Letter> letters MR_GUARDED_BY(mutex);
    bool posted MR_GUARDED_BY(mutex) = false;
  };

  State(PartitionAccess& access, Post post, Options options)
      : access(access), options(options), mailbox(std::make_shared<Mailbox>(std::move(post))) {}

  void Commit();
  void Deliver();
  [[nodiscard]] bool HandsSyncOver(std::chrono::nanoseconds now) const;
  bool SyncInLoop(WalPosition end, Result<void>& synced);
  void AskForSync(WalPosition end, std::uint64_t id);
  /// Once its sync has ended: tells it, or has its upload tell.
  void ClimbOn(std::uint64_t id, Group& group, std::size_t index, const Result<void>& synced);
  void Tell(Group& group, Entry& entry);
  void OnTook(std::chrono::nanoseconds took) {
    estimate = estimate.count() == 0 ? took : estimate + (took - estimate) / kEstimateShare;
  }

  PartitionAccess& access;
  const Options options;
  const std::shared_ptr<Mailbox> mailbox;
  std::vector<Entry> staged;
  std::chrono::nanoseconds first_staged{};                                 // when the oldest of them was
  std::vector<std::pair<PartitionHandle, PartitionLog::Effects>> effects;  // of what is staged
  std::map<std::uint64_t, Group> groups;
  std::uint64_t last_group = 0;
  std::size_t pending = 0;
  StagedBatch last;
  std::chrono::nanoseconds estimate{};
  bool ended = false;
};

CommitTurn::CommitTurn(PartitionAccess& access, Post post, Options options)
    : state_(std::make_shared<State>(access, std::move(post), options)) {
  state_->mailbox->turn = state_;
}

CommitTurn::~CommitTurn() {
  state_->ended = true;
  state_->mailbox->gate.Close();
  // Readers wait for what was staged, whether or not its appender is told.
  for (auto& [partition, effects] : std::exchange(state_->effects, {}))
    state_->access.Run(partition, std::move(effects));
}

Result<void> CommitTurn::Stage(PartitionHandle partition, Buffer& batch, Durability asked, Done& done) {
  State& s = *state_;
  PartitionLog::Effects effects;
  MR_ASSIGN_OR_RETURN(s.last, s.access.TryAppend(partition, batch, effects));
  // A reader's wish for a sync waits for the loop's own: else the WAL's thread would make it, and the loop wait for
  // that.
  if (!effects.calls.empty() || effects.sync) s.effects.emplace_back(partition, std::move(effects));
  if (s.staged.empty()) s.first_staged = s.access.clock().Monotonic();
  s.staged.push_back({.partition = partition,
                      .append = {.wal_end = s.last.wal_end, .end = s.last.end, .asked = asked},
                      .outcome = {.batch = s.last},
                      .done = std::move(done)});
  ++s.pending;
  return {};
}

const StagedBatch& CommitTurn::last_staged() const { return state_->last; }

void CommitTurn::Commit() {
  const std::shared_ptr<State> state = state_;  // a `done` may destroy the turn
  state->Commit();
}

std::size_t CommitTurn::pending() const { return state_->pending; }

std::chrono::nanoseconds CommitTurn::sync_estimate() const { return state_->estimate; }

void CommitTurn::State::Commit() {
  if (staged.empty()) return;
  const std::uint64_t id = ++last_group;
  Group& group = groups[id];
  group.entries = std::exchange(staged, {});
  group.untold = group.entries.size();
  group.begun = access.clock().Monotonic();
  auto readers = std::exchange(effects, {});
  std::optional<WalPosition> sync_end;
  Result<void> synced;
  bool in_loop = false;
  {
    const CallGate::Pass pass(&access.calls());
    for (Entry& entry : group.entries) {
      access.ladder().Begin(PartitionAccess::PartitionOf(entry.partition).upload(), entry.append);
      // What came a second time may be synced already.
      if (AppendLadder::RungAbove(Durability::kOs, entry.append.asked) &&
          entry.append.wal_end > access.wal().durable_end())
        sync_end = std::max(sync_end.value_or(entry.append.wal_end), entry.append.wal_end);
    }
    // Behind a closed door the WAL makes its last sync itself, and calls.
    in_loop = !sync_end || (pass && SyncInLoop(*sync_end, synced));
  }
  for (auto& [partition, waiting] : readers) access.Run(partition, std::move(waiting));
  for (std::size_t i = 0; i < group.entries.size() && !ended; ++i) {
    if (group.entries[i].append.asked == Durability::kOs)
      Tell(group, group.entries[i]);
    else if (in_loop)
      ClimbOn(id, group, i, synced);
  }
  if (ended) return;
  if (group.untold == 0)
    groups.erase(id);
  else if (sync_end && !in_loop)
    AskForSync(*sync_end, id);
}

/// The loop stands still while it syncs. A turn that took longer to stage than a sync takes shows that the next
/// requests are waiting already: the WAL's thread syncs beside them. A sync as short as a hand-over is not worth one.
bool CommitTurn::State::HandsSyncOver(std::chrono::nanoseconds now) const {
  if (estimate >= options.own_sync_max) return true;
  return estimate >= options.hand_over_cost && now - first_staged >= estimate;
}

/// False: the WAL's thread is to sync.
bool CommitTurn::State::SyncInLoop(WalPosition end, Result<void>& synced) {
  const std::chrono::nanoseconds begun = access.clock().Monotonic();
  if (HandsSyncOver(begun)) return false;
  synced = access.wal().AwaitDurable(end);
  if (synced) OnTook(access.clock().Monotonic() - begun);
  return true;
}

void CommitTurn::State::AskForSync(WalPosition end, std::uint64_t id) {
  access.wal().OnDurable(end, [mailbox = mailbox, id, clock = &access.clock()](const Result<void>& synced) {
    mailbox->Send({.group = id, .entry = {}, .reached = synced, .at = clock->Monotonic()});
  });
}

void CommitTurn::State::ClimbOn(std::uint64_t id, Group& group, std::size_t index, const Result<void>& synced) {
  Entry& entry = group.entries[index];
  const TopicPartition& name = entry.partition.name();
  // A sync that failed further on may have come as far as this one.
  if (!synced && access.wal().durable_end() < entry.append.wal_end) {
    entry.outcome.unknown =
        synced.error().WithContext(At(name, entry.outcome.batch.base, "is appended but not known to be synced"));
    return Tell(group, entry);
  }
  entry.outcome.reached = Durability::kDisk;
  if (!AppendLadder::RungAbove(Durability::kDisk, entry.append.asked)) return Tell(group, entry);
  access.ladder().OnRung(Durability::kObject, PartitionAccess::PartitionOf(entry.partition).upload(), entry.append,
                         [mailbox = mailbox, id, index](const Result<void>& reached) {
                           mailbox->Send({.group = id, .entry = index, .reached = reached});
                         });
}

void CommitTurn::State::Tell(Group& group, Entry& entry) {
  --group.untold;
  --pending;
  CheckNoMutexHeld();
  Done done = std::move(entry.done);
  const CommitOutcome outcome = std::move(entry.outcome);
  if (done) done(outcome);
}

void CommitTurn::State::Deliver() {
  const std::shared_ptr<State> self = shared_from_this();
  for (Letter& letter : mailbox->Take()) {
    if (ended) return;
    const auto found = groups.find(letter.group);
    if (found == groups.end()) continue;
    Group& group = found->second;
    if (letter.entry) {
      Entry& entry = group.entries[*letter.entry];
      if (letter.reached)
        entry.outcome.reached = Durability::kObject;
      else
        entry.outcome.unknown =
            letter.reached.error().WithContext(At(entry.partition.name(), entry.outcome.batch.base,
                                                  "is synced to this disk but not known to be in the object store"));
      Tell(group, entry);
    } else {
      // The hand-over, and the sync that was under way before, are in it: it bounds what a sync takes.
      const std::chrono::nanoseconds took = letter.at - group.begun;
      if (letter.reached && took < estimate) OnTook(took);
      for (std::size_t i = 0; i < group.entries.size() && !ended; ++i)
        if (group.entries[i].append.asked != Durability::kOs) ClimbOn(letter.group, group, i, letter.reached);
    }
    if (!ended && group.untold == 0) groups.erase(letter.group);
  }
}

}  // namespace millrace
