// What the partitions of one fetch session wait on, for as long as the session follows them. A watch that stands costs
// a fetch nothing until it wakes.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/partition_watches.h"
#include "server/kafka/fetch_session.h"
#include "server/turn_loop.h"

namespace millrace {

/// Of the loop's thread.
class SessionWatches : public std::enable_shared_from_this<SessionWatches> {
 public:
  static std::shared_ptr<SessionWatches> Make(PartitionAccess& log, TurnLoop& loop);

  /// From now on `woken` is called on the loop's thread when Take has something. What woke before is there at once.
  void Begin(std::function<void()> woken) { woken_ = std::move(woken); }
  /// What stands goes on standing.
  void End() { woken_ = nullptr; }

  enum class Armed {
    kWaits,        // it wakes the session
    kReached,      // there is more already, or it cannot be watched any more: read
    kByTimeAlone,  // nothing wakes the session for it: the disk fails
  };
  /// `beyond`: what the fetch has seen of it.
  Armed Arm(SessionPartition& partition, Offset beyond);
  /// Not watched any more.
  void Remove(PartitionWatches::Id watch);
  /// Which woke since the last call, each once.
  [[nodiscard]] std::vector<SessionPartition*> Take();

 private:
  SessionWatches() = default;

  std::unique_ptr<PartitionWatches> watches_;
  std::unordered_map<PartitionWatches::Id, SessionPartition*> by_id_;
  std::function<void()> woken_;
};

}  // namespace millrace
