#include "server/net/readiness_set.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kReadyPerRun = 256;
// Reported whether or not they were asked for; both kinds of waits end, and the owner meets the error as it goes on.
constexpr std::uint32_t kBroken = EPOLLERR | EPOLLHUP;

/// As epoll takes it. Never early: a timer that is not due yet would turn the loop for nothing.
int WaitMs(TurnLoop::Time wait_max) {
  if (wait_max == TurnLoop::Time::max()) return -1;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(std::max(wait_max, TurnLoop::Time(0)));
  return static_cast<int>(std::min(rounded, std::chrono::milliseconds(std::chrono::hours(1))).count());
}

}  // namespace

Result<std::unique_ptr<ReadinessSet>> ReadinessSet::Open() {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) {
    return Error(ErrorCode::kUnavailable, fmt::format("cannot make an epoll: {}", std::strerror(errno)),
                 "The limit of open files may be to blame (ulimit -n).");
  }
  return std::unique_ptr<ReadinessSet>(new ReadinessSet(epoll));
}

ReadinessSet::~ReadinessSet() { ::close(epoll_); }

ReadinessSet::Id ReadinessSet::Add(int descriptor) {
  const Id id = ++last_id_;
  Watched watched{.descriptor = descriptor, .readable = {}, .writable = {}};
  if (!Watch(id, watched, EPOLLIN)) return 0;
  watched_.emplace(id, std::move(watched));
  return id;
}

void ReadinessSet::Remove(Id id) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  (void)Watch(id, found->second, 0);
  // What its tasks hold may come back to this set as it goes.
  const Watched gone = std::move(found->second);
  watched_.erase(found);
}

/// The system refuses only what it refused when the descriptor was added.
bool ReadinessSet::Watch(Id id, Watched& watched, std::uint32_t events) {
  if (watched.events == events) return true;
  epoll_event event{.events = events, .data = {.u64 = id}};
  const int operation = watched.events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  if (::epoll_ctl(epoll_, operation, watched.descriptor, &event) != 0) return false;
  watched.events = events;
  return true;
}

void ReadinessSet::AwaitReadable(Id id, TurnLoop::Task ready) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  found->second.readable = std::move(ready);
  (void)Watch(id, found->second, found->second.events | EPOLLIN);
}

void ReadinessSet::AwaitWritable(Id id, TurnLoop::Task ready) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  found->second.writable = std::move(ready);
  (void)Watch(id, found->second, found->second.events | EPOLLOUT);
}

std::size_t ReadinessSet::RunReady(TurnLoop::Time wait_max) {
  std::array<epoll_event, kReadyPerRun> ready;
  const int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), WaitMs(wait_max));
  if (count <= 0) return 0;
  const std::span<const epoll_event> now(ready.data(), static_cast<std::size_t>(count));
  for (const epoll_event& one : now) Run(one.data.u64, one.events);
  return now.size();
}

/// A task may remove its descriptor, or others of this round.
void ReadinessSet::Run(Id id, std::uint32_t events) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  const std::uint32_t wanted = (watched.readable ? EPOLLIN : 0U) | (watched.writable ? EPOLLOUT : 0U);
  const std::uint32_t reported = (events & kBroken) != 0 ? EPOLLIN | EPOLLOUT : events;
  // A level that its owner does not look at would be reported for ever.
  if ((events & ~kBroken & ~wanted) != 0 || wanted == 0) (void)Watch(id, watched, wanted);
  TurnLoop::Task readable = (reported & EPOLLIN) != 0 ? std::exchange(watched.readable, nullptr) : nullptr;
  if (readable) readable();
  if ((reported & EPOLLOUT) == 0) return;
  const auto again = watched_.find(id);
  if (again == watched_.end()) return;
  TurnLoop::Task writable = std::exchange(again->second.writable, nullptr);
  if (writable) writable();
}

}  // namespace millrace
