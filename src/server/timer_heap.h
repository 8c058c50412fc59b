// Timers of one loop, by time. The loop has one timer of the system, set for the first of them.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "server/turn_loop.h"

namespace millrace {

/// One thread.
class TimerHeap {
 public:
  TurnLoop::TimerId Start(TurnLoop::Time at, TurnLoop::Task task) {
    const TurnLoop::TimerId id = ++last_id_;
    places_[id] = tasks_.emplace(at, Entry{id, std::move(task)});
    return id;
  }
  void Stop(TurnLoop::TimerId id) {
    const auto place = places_.find(id);
    if (place == places_.end()) return;
    tasks_.erase(place->second);
    places_.erase(place);
  }
  /// When the first one is due.
  [[nodiscard]] std::optional<TurnLoop::Time> First() const {
    if (tasks_.empty()) return std::nullopt;
    return tasks_.begin()->first;
  }
  /// Runs those due by `now`; one that a task starts for now runs at the next call.
  void RunDue(TurnLoop::Time now) {
    const TurnLoop::TimerId newest = last_id_;
    for (auto first = tasks_.begin(); first != tasks_.end() && first->first <= now; first = tasks_.begin()) {
      if (first->second.id > newest) return;
      TurnLoop::Task task = std::move(first->second.task);
      places_.erase(first->second.id);
      tasks_.erase(first);
      task();
    }
  }
  [[nodiscard]] std::size_t size() const { return tasks_.size(); }
  void Clear() {
    places_.clear();
    // A task may hold what stops timers when it goes.
    auto gone = std::exchange(tasks_, {});
  }

 private:
  struct Entry {
    TurnLoop::TimerId id;
    TurnLoop::Task task;
  };
  using Tasks = std::multimap<TurnLoop::Time, Entry>;

  Tasks tasks_;
  std::unordered_map<TurnLoop::TimerId, Tasks::iterator> places_;
  TurnLoop::TimerId last_id_ = 0;
};

}  // namespace millrace
