// What the fetches of one connection wait on. A partition is added when a fetch first waits for it and stays, so that
// the next poll over the same partitions adds and removes nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/partition_watches.h"
#include "millrace/types.h"
#include "server/turn_loop.h"

namespace millrace {

/// Of the loop's thread. One fetch waits at a time, as a connection handles one at a time.
class FetchWatches : public std::enable_shared_from_this<FetchWatches> {
 public:
  static std::shared_ptr<FetchWatches> Make(PartitionAccess& log, TurnLoop& loop);

  /// From now on `woken` is called on the loop's thread when an armed partition has more, or has ended.
  void Begin(std::function<void()> woken) { woken_ = std::move(woken); }
  /// False: there is more than `beyond` already, or it cannot be watched any more: read.
  bool Arm(PartitionHandle partition, Offset beyond);
  /// Which woke since the last call, each once.
  std::vector<PartitionHandle> Take();
  /// Nothing is armed any more. Forgets partitions that this fetch did not ask for.
  void End();

  [[nodiscard]] std::size_t size() const { return by_partition_.size(); }
  /// Partitions that were added, ever.
  [[nodiscard]] std::uint64_t added() const { return added_; }

 private:
  struct Watched {
    PartitionHandle partition;
    PartitionWatches::Id id = 0;
    std::uint64_t round = 0;  // in which a fetch last armed it
    bool armed = false;
  };
  FetchWatches() = default;
  void Forget();

  std::unique_ptr<PartitionWatches> watches_;
  std::unordered_map<const TopicPartition*, Watched> by_partition_;
  std::unordered_map<PartitionWatches::Id, Watched*> by_id_;
  std::vector<Watched*> armed_;
  std::function<void()> woken_;
  std::uint64_t round_ = 1, added_ = 0;
};

}  // namespace millrace
