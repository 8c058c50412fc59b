// Which of many descriptors can be read or written: one epoll, level-triggered. A descriptor that is awaited again and
// again costs no call of the system in between; it leaves the set when it is ready and its owner does not ask.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "millrace/result.h"
#include "server/turn_loop.h"

namespace millrace {

/// Of one thread.
class ReadinessSet {
 public:
  using Id = std::uint64_t;

  /// kUnavailable: the system gives no descriptor.
  static Result<std::unique_ptr<ReadinessSet>> Open();
  ~ReadinessSet();
  ReadinessSet(const ReadinessSet&) = delete;
  ReadinessSet& operator=(const ReadinessSet&) = delete;

  /// Can be read while one of those that are awaited is ready. For tests.
  [[nodiscard]] int descriptor() const { return epoll_; }

  /// 0: the system does not let it be watched. `descriptor` stays open until it is removed.
  Id Add(int descriptor);
  /// None of its tasks runs any more.
  void Remove(Id id);
  // Each task runs once, in a later call of RunReady. One wait of each kind for a descriptor at a time.
  void AwaitReadable(Id id, TurnLoop::Task ready);
  void AwaitWritable(Id id, TurnLoop::Task ready);

  /// Waits until one is ready, at most so long (Time::max(): for ever), and runs the tasks of those that are, of 256 at
  /// most; how many. One call of the system. A time is rounded up to a millisecond.
  std::size_t RunReady(TurnLoop::Time wait_max = TurnLoop::Time(0));

 private:
  struct Watched {
    int descriptor;
    std::uint32_t events = 0;  // that epoll reports; none: it is not in the epoll
    TurnLoop::Task readable, writable;
  };

  explicit ReadinessSet(int epoll) : epoll_(epoll) {}
  bool Watch(Id id, Watched& watched, std::uint32_t events);
  void Run(Id id, std::uint32_t events);

  const int epoll_;
  Id last_id_ = 0;
  std::unordered_map<Id, Watched> watched_;
};

}  // namespace millrace
