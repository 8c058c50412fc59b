#include "engine/partition_watches.h"

#include <algorithm>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "base/try.h"
#include "engine/front_door.h"
#include "engine/partition.h"
#include "log/visible_watches.h"

namespace millrace {

/// Shared with the watches, so that a call that is under way when its owner goes finds it ended, and not gone.
struct PartitionWatches::State {
  class Watch;
  explicit State(PartitionAccess& access, std::function<void()> wake) : access(access), wake(std::move(wake)) {}

  [[nodiscard]] std::shared_ptr<Watch> Find(Id id) MR_REQUIRES(mutex) {
    const auto found = watches.find(id);
    return found == watches.end() ? nullptr : found->second;
  }
  void OnVisible(Watch& watch);
  /// Until no wake runs but one that this thread is in.
  void AwaitCalm();

  PartitionAccess& access;
  const std::function<void()> wake;
  Mutex mutex;
  CondVar calm;
  Id last_id MR_GUARDED_BY(mutex) = 0;
  std::unordered_map<Id, std::shared_ptr<Watch>> watches MR_GUARDED_BY(mutex);
  std::vector<Id> woken MR_GUARDED_BY(mutex);  // some may not be so any more
  bool told MR_GUARDED_BY(mutex) = false;      // since the last Take
  bool ended MR_GUARDED_BY(mutex) = false;
  std::vector<std::thread::id> waking MR_GUARDED_BY(mutex);  // threads inside `wake`
};

class PartitionWatches::State::Watch final : public VisibleWatch {
 public:
  Watch(std::shared_ptr<State> state, Id id, PartitionHandle partition)
      : partition(partition), id(id), state_(std::move(state)) {}
  void OnVisible() override { state_->OnVisible(*this); }

  const PartitionHandle partition;
  const Id id;
  bool woken = false;    // guarded by the state's mutex
  bool removed = false;  // likewise

 private:
  const std::shared_ptr<State> state_;
};

void PartitionWatches::State::OnVisible(Watch& watch) {
  {
    MutexLock lock(mutex);
    if (ended || watch.removed) return;
    if (!std::exchange(watch.woken, true)) woken.push_back(watch.id);
    if (std::exchange(told, true)) return;
    waking.push_back(std::this_thread::get_id());
  }
  CheckNoMutexHeld();
  wake();
  MutexLock lock(mutex);
  waking.erase(std::ranges::find(waking, std::this_thread::get_id()));
  calm.NotifyAll();
}

void PartitionWatches::State::AwaitCalm() {
  MutexLock lock(mutex);
  const auto other = [](std::thread::id thread) { return thread != std::this_thread::get_id(); };
  while (std::ranges::any_of(waking, other)) calm.Wait(mutex);
}

PartitionWatches::PartitionWatches(PartitionAccess& access, std::function<void()> wake)
    : state_(std::make_shared<State>(access, std::move(wake))) {}

PartitionWatches::~PartitionWatches() {
  std::unordered_map<Id, std::shared_ptr<State::Watch>> watches;
  {
    MutexLock lock(state_->mutex);
    state_->ended = true;
    watches = std::exchange(state_->watches, {});
  }
  for (auto& [id, watch] : watches) PartitionAccess::PartitionOf(watch->partition).log().DisarmWatch(*watch);
  state_->AwaitCalm();
}

PartitionWatches::Id PartitionWatches::Add(PartitionHandle partition) {
  MutexLock lock(state_->mutex);
  const Id id = ++state_->last_id;
  state_->watches.emplace(id, std::make_shared<State::Watch>(state_, id, partition));
  return id;
}

void PartitionWatches::Remove(Id id) {
  std::shared_ptr<State::Watch> watch;
  {
    MutexLock lock(state_->mutex);
    watch = state_->Find(id);
    if (watch == nullptr) return;
    watch->removed = true;
    state_->watches.erase(id);
  }
  PartitionAccess::PartitionOf(watch->partition).log().DisarmWatch(*watch);
}

Result<PartitionWatches::Armed> PartitionWatches::Arm(Id id, Offset beyond) {
  std::shared_ptr<State::Watch> watch;
  {
    MutexLock lock(state_->mutex);
    watch = state_->Find(id);
    if (watch == nullptr) return Error(ErrorCode::kNotFound, "the watch was removed");
    watch->woken = false;
  }
  PartitionLog& log = PartitionAccess::PartitionOf(watch->partition).log();
  const CallGate::Pass pass(&state_->access.calls());
  if (!pass) return ClosedError();
  MR_TRY(PartitionAccess::Alive(watch->partition));
  MR_ASSIGN_OR_RETURN(const bool armed, log.ArmWatch(watch, beyond));
  if (!armed) return Armed::kReached;
  bool removed = false;
  {
    MutexLock lock(state_->mutex);
    removed = watch->removed || state_->ended;
  }
  if (removed) log.DisarmWatch(*watch);  // meanwhile, by another thread
  return Armed::kWaits;
}

void PartitionWatches::Disarm(Id id) {
  std::shared_ptr<State::Watch> watch;
  {
    MutexLock lock(state_->mutex);
    watch = state_->Find(id);
    if (watch == nullptr) return;
  }
  PartitionAccess::PartitionOf(watch->partition).log().DisarmWatch(*watch);
  MutexLock lock(state_->mutex);
  watch->woken = false;
}

std::vector<PartitionWatches::Id> PartitionWatches::Take() {
  MutexLock lock(state_->mutex);
  state_->told = false;
  std::vector<Id> taken = std::exchange(state_->woken, {});
  std::erase_if(taken, [&](Id id) MR_REQUIRES(state_->mutex) {
    const auto watch = state_->Find(id);
    return watch == nullptr || !std::exchange(watch->woken, false);
  });
  return taken;
}

std::size_t PartitionWatches::size() const {
  MutexLock lock(state_->mutex);
  return state_->watches.size();
}

}  // namespace millrace
