// The way from any loop to the group coordinator, which lives on one of them: no lock, and no thread for what waits.
//
//   loop 2: request ─► Ask ─► post ─► loop 0: coordinator ─► done ─► post ─► loop 2: reply
//   loop 0: request ─► Ask ─► coordinator ─► answer ─► reply, in the same turn, of what is answered at once
#pragma once

#include <concepts>
#include <memory>
#include <utility>

#include "engine/group_access.h"
#include "env/random.h"
#include "env/thread_pool.h"
#include "group/group_coordinator.h"
#include "server/turn_loop.h"

namespace millrace {

class GroupDesk {
 public:
  struct Parts {
    GroupAccess& access;
    TurnLoop& home;    // the loop that groups live on
    ThreadPool& pool;  // on which is waited for the metadata
    Random& random;
    std::function<void(std::string_view)> tell;
  };
  /// Parts outlive it. It outlives everything that was posted to `home`, or `home` runs nothing any more.
  GroupDesk(Parts parts, const GroupSettings& settings);

  /// On the home loop, before anything is asked. Blocks for the metadata.
  Result<void> Load() { return coordinator_.Load(); }

  [[nodiscard]] bool LivesOn(const TurnLoop& loop) const { return &loop == &parts_.home; }
  /// From any loop's thread. On the home loop `call` runs at once.
  template <std::invocable<GroupCoordinator&> Call>
  void Ask(TurnLoop& from, Call call) {
    if (LivesOn(from)) return call(coordinator_);
    parts_.home.Post([this, call = std::move(call)]() mutable { call(coordinator_); });
  }

 private:
  void WakeAt(GroupTime at);

  const Parts parts_;
  GroupCoordinator coordinator_;
  TurnLoop::TimerId timer_ = 0;  // of the home loop
};

}  // namespace millrace
