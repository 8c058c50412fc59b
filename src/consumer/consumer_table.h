// The consumers of an engine: which are open, which partitions each may read, when to look anew. Partitions of a group
// are shared out among its consumers here; docs/adr/0016-consumers-of-one-group.md has the rules.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_gate.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "consumer/consumer_member.h"
#include "consumer/group_share.h"
#include "consumer/position_store.h"
#include "millrace/clock.h"
#include "millrace/consumer.h"
#include "millrace/result.h"
#include "read/partition_source.h"

namespace millrace {

/// Safe from any thread.
class ConsumerTable final : public ConsumerShares {
 public:
  /// The partitions of a topic as of now; none: there is no such topic. They outlive the table.
  using TopicLookup = std::function<std::optional<std::vector<PartitionSource*>>(std::string_view topic)>;
  /// Collaborators outlive the table. `lookup` runs under its lock and takes none that is held by who calls here.
  /// Calls of its consumers come in through `calls`, the engine's or one of its own.
  ConsumerTable(TopicLookup lookup, PositionStore& positions, Clock& clock,
                std::shared_ptr<CallGate> calls = std::make_shared<CallGate>());
  ~ConsumerTable() override;

  /// What a consumer asks for. `partitions` are distinct.
  struct Subscription {
    std::vector<std::string> topics;
    std::vector<PartitionSource*> partitions;
  };
  /// Loads the group's positions. kUnavailable: another consumer of the group reads one of `partitions`.
  Result<std::unique_ptr<Consumer>> Open(const ConsumerSettings& settings, Subscription subscription);
  /// It was made, or has more partitions: the consumers that read it look anew, also if they wait.
  void OnTopic(std::string_view topic);

  /// Every call answers `error` from now on, and waits end.
  void End(const Error& error);
  /// After End, once everything that reads wait for has ended: returns when no call is inside any consumer.
  void AwaitCalls();

  std::vector<PartitionSource*> Take(ConsumerMember& member) override;
  void Leave(ConsumerMember& member) override;
  [[nodiscard]] PositionStore& positions() const override { return positions_; }
  [[nodiscard]] Clock& clock() const override { return clock_; }

 private:
  [[nodiscard]] const std::vector<PartitionSource*>& SourcesOf(const std::string& topic) MR_REQUIRES(mutex_);
  void LookAnew(std::string_view group, const ConsumerMember* but) MR_REQUIRES(mutex_);

  const TopicLookup lookup_;
  PositionStore& positions_;
  Clock& clock_;
  const std::shared_ptr<CallGate> calls_;

  Mutex mutex_;
  GroupShare::Member last_number_ MR_GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<ConsumerMember>> members_ MR_GUARDED_BY(mutex_);
  std::map<std::string, GroupShare, std::less<>> groups_ MR_GUARDED_BY(mutex_);
  /// Of topics that a consumer asked for; of one that is gone, the partitions it had: these tell that themselves.
  std::map<std::string, std::vector<PartitionSource*>, std::less<>> sources_ MR_GUARDED_BY(mutex_);
  std::optional<Error> ended_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
