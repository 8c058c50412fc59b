// A consumer as the table of consumers knows it, and the table as a consumer knows it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bell.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "consumer/group_share.h"
#include "consumer/position_store.h"
#include "millrace/clock.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "read/partition_source.h"

namespace millrace {

class ThreadPool;

struct ConsumerSettings {
  std::string group;
  ResetPolicy reset = ResetPolicy::kEarliest;
  OnDamage on_damage = OnDamage::kFail;
  std::size_t fetch_size = 1000;
  /// Threads for partitions that wait for the object store at the same time; null, or null from it: one after the
  /// other.
  std::function<ThreadPool*()> read_pool;
};

/// What the table and a consumer share, whichever of them lives longer.
struct ConsumerMember {
  GroupShare::Member number = 0;
  std::string group;                  // "": shares with no other
  std::vector<std::string> topics;    // as asked for, each once
  std::vector<PartitionSource*> own;  // asked for one by one
  /// Rung when there may be something to do for a Poll that waits. Wakers may still run when the consumer is gone.
  const std::shared_ptr<Bell> bell = std::make_shared<Bell>();
  std::atomic<bool> wakeup{false};  // ends one Poll
  Gate calls;
  std::atomic<bool> stale{true};  // its partitions may be others now: Take

  /// Every call answers `error` from now on.
  void End(const Error& error) {
    {
      MutexLock lock(mutex_);
      ended_ = error;
    }
    bell->Ring();
  }
  [[nodiscard]] Result<void> CheckNotEnded() const {
    MutexLock lock(mutex_);
    if (ended_) return *ended_;
    return {};
  }

 private:
  mutable Mutex mutex_;
  std::optional<Error> ended_ MR_GUARDED_BY(mutex_);
};

/// What a consumer asks of the table it is in, while it is inside the table's calls.
class ConsumerShares {
 public:
  virtual ~ConsumerShares() = default;
  /// What `member` reads from now on, in the order it is served. What is no longer there belongs to another member.
  virtual std::vector<PartitionSource*> Take(ConsumerMember& member) = 0;
  virtual void Leave(ConsumerMember& member) = 0;
  [[nodiscard]] virtual PositionStore& positions() const = 0;
  [[nodiscard]] virtual Clock& clock() const = 0;
};

}  // namespace millrace
