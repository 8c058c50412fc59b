// Tells the coordinator of a group, from a thread and over a connection of its own, that a member is alive, and hears
// from it whether the member's generation stands.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "client/address.h"
#include "client/connection.h"
#include "client/socket.h"
#include "millrace/result.h"

namespace millrace::client {

/// A member as its group knows it.
struct Membership {
  std::string group, member;
  std::int32_t generation = -1;
};

/// Start and Stop belong to one thread.
class Heartbeats {
 public:
  enum class Verdict {  // the worse ones last: what was heard is not taken back
    kStands,
    kRebalances,  // join again; nobody else has the member's partitions before it does, or is given up
    kLost,        // the group has gone on without the member
  };

  /// kUnavailable: no thread, no descriptor.
  static Result<std::unique_ptr<Heartbeats>> Make(std::chrono::milliseconds interval);
  ~Heartbeats();
  Heartbeats(const Heartbeats&) = delete;
  Heartbeats& operator=(const Heartbeats&) = delete;

  /// From now on for this generation, which stands until something else is heard.
  void Start(const Address& coordinator, const Membership& membership);
  /// Until the next Start. What is under way is not waited for, and counts for nothing.
  void Stop();
  /// What was heard since Start.
  [[nodiscard]] Verdict verdict() const { return verdict_; }

 private:
  struct Beat {  // what one beat is about
    Address coordinator;
    Membership membership;
    std::uint64_t turn = 0;
  };
  Heartbeats(std::chrono::milliseconds interval, std::unique_ptr<Alarm> end)
      : interval_(interval), end_(std::move(end)) {}
  void Run();
  [[nodiscard]] std::optional<Beat> Next() MR_EXCLUDES(mutex_);
  /// kUnavailable and the like: nothing was heard.
  Result<Verdict> Send(const Beat& beat);
  void Hear(const Beat& beat, Verdict verdict) MR_EXCLUDES(mutex_);

  const std::chrono::milliseconds interval_;
  const std::unique_ptr<Alarm> end_;

  // Of the thread.
  std::unique_ptr<Connection> connection_;

  Mutex mutex_;
  std::optional<Beat> beat_ MR_GUARDED_BY(mutex_);  // none: stopped
  std::uint64_t turns_ MR_GUARDED_BY(mutex_) = 0;
  std::atomic<Verdict> verdict_ = Verdict::kStands;

  std::jthread thread_;
};

}  // namespace millrace::client
