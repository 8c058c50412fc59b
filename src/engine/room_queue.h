// Appends of a server that found no room: each is called when there is some, in the order in which they came. Room is
// made by a call that blocks, so it is made on a thread of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

#include "base/call_gate.h"
#include "base/mutex.h"
#include "engine/appender.h"
#include "env/thread_pool.h"
#include "millrace/clock.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread.
class RoomQueue {
 public:
  using Done = std::move_only_function<void(const Result<void>&)>;
  struct Options {
    std::chrono::nanoseconds wait_max{};
    bool threads = true;  // false: room is made inline, as a stepped engine's appends do
  };
  /// All outlive it.
  RoomQueue(Appender& appender, CallGate& calls, const Options& options, Clock& clock)
      : options_(options), appender_(appender), calls_(calls), clock_(clock) {}
  /// Those that wait are answered kClosed before it returns.
  ~RoomQueue();

  /// Calls `done` once: PartitionAccess::OnRoom.
  void Add(std::uint64_t bytes, Done done);

 private:
  struct Waiting {
    std::uint64_t bytes;
    Done done;
  };
  void Serve(const std::stop_token& stop, Waiting waiting);
  Result<void> Await(const std::stop_token& stop, std::uint64_t bytes);

  const Options options_;
  Appender& appender_;
  CallGate& calls_;
  Clock& clock_;
  Mutex mutex_;
  std::unique_ptr<ThreadPool> thread_ MR_GUARDED_BY(mutex_);  // one; made when first needed
};

}  // namespace millrace
