#include "engine/events.h"

#include "base/check.h"

namespace millrace {
namespace {

constexpr std::chrono::minutes kPause{1};
constexpr std::size_t kToldMax = 10'000;  // partitions remembered; beyond that the oldest words are forgotten

}  // namespace

bool Events::MayPass(const Event& event) {
  MutexLock lock(mutex_);
  const auto now = clock_.Monotonic();
  const auto key = [&](EventKind kind) { return Key(kind, event.partition.topic, event.partition.partition); };
  if (event.kind == EventKind::kUploadsResumed) {
    // The failure is forgotten as told, and its pause with it only after the minute: a partition that comes and goes
    // every second is still told of once a minute.
    const auto failing = told_.find(key(EventKind::kUploadFailing));
    if (failing == told_.end()) return false;
    const auto resumed = told_.find(key(EventKind::kUploadsResumed));
    if (resumed != told_.end() && resumed->second >= failing->second) return false;
    told_[key(EventKind::kUploadsResumed)] = now;
    return true;
  }
  if (told_.size() >= kToldMax) std::erase_if(told_, [&](const auto& entry) { return now - entry.second >= kPause; });
  const auto [told, is_new] = told_.try_emplace(key(event.kind), now);
  MR_DCHECK(told->second <= now, told->second.count(), now.count());
  if (!is_new && now - told->second < kPause) return false;
  told->second = now;
  return true;
}

void Events::Queue(Event event) {
  if (!sink_) return;
  MutexLock lock(mutex_);
  queued_.push_back(std::move(event));
}

void Events::TellQueued() {
  std::vector<Event> queued;
  {
    MutexLock lock(mutex_);
    queued.swap(queued_);
  }
  for (Event& event : queued) Tell(std::move(event));
}

void Events::Tell(Event event) {
  if (!sink_ || !MayPass(event)) return;
  CheckNoMutexHeld();
  try {
    sink_(event);
  } catch (...) {  // the engine could do nothing about it
  }
}

}  // namespace millrace
