#include "server/kafka/group_desk.h"

namespace millrace {

GroupDesk::GroupDesk(Parts parts, const GroupSettings& settings)
    : parts_(std::move(parts)),
      coordinator_({.metadata = parts_.access.metadata(),
                    .pool = parts_.pool,
                    .random = parts_.random,
                    .now = [&home = parts_.home] { return home.Now(); },
                    .wall_ms = [&access = parts_.access] { return access.TrustedMs(); },
                    .may_expire = [&access = parts_.access] { return !access.TimeIsDoubted(); },
                    .post = [&home = parts_.home](GroupWrites::Task task) { home.Post(std::move(task)); },
                    .wake_at = [this](GroupTime at) { WakeAt(at); },
                    .tell = parts_.tell},
                   settings) {}

void GroupDesk::WakeAt(GroupTime at) {
  if (timer_ != 0) parts_.home.StopTimer(timer_);
  timer_ = parts_.home.StartTimer(at, [this] {
    timer_ = 0;
    coordinator_.Tick();
  });
}

}  // namespace millrace
