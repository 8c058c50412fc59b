// A consumer in a group that a server coordinates, as Kafka's classic protocol has it:
//
//   Join: JoinGroup ─► (the leader shares out) ─► SyncGroup ─► OffsetFetch ─► heartbeats, until the group shares out
//   anew Commit: OffsetCommit, under the generation          Leave: LeaveGroup
// All partitions are given up at each Join (eager), so members of any client that assign by `range` or `roundrobin` may
// share a group with it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cluster.h"
#include "client/heartbeats.h"
#include "client/log.h"
#include "kafka/messages/join_group.h"
#include "millrace/result.h"

namespace millrace::client {

struct MemberTimes {
  std::chrono::milliseconds session{10'000};    // so long may it be silent before others get its partitions
  std::chrono::milliseconds rebalance{60'000};  // so long do others wait for it to join
  std::chrono::milliseconds heartbeat{1'000};
  std::chrono::milliseconds leave{3'000};  // for what is still said once the stop was asked for
};

/// One thread. Join ends with kClosed when the stop is asked for that was in force for the thread that opened it;
/// Commit and Leave go on after it for a moment, so that what was printed is committed.
class GroupMember : public LogMember {
 public:
  /// With connections of its own. Errors: those of Cluster::Open, kUnavailable (no thread, no descriptor).
  static Result<std::unique_ptr<GroupMember>> Open(const ClusterOptions& options, std::string group,
                                                   std::vector<std::string> topics, const MemberTimes& times = {});

  Result<Share> Join() override;
  [[nodiscard]] bool MustJoin() const override;
  Result<void> Commit(const TopicPartition& partition, Offset position) override;
  Result<void> Leave() override;

 private:
  using Joined = Answer<kafka::JoinGroupResponse>;
  GroupMember(std::string group, std::vector<std::string> topics, const MemberTimes& times)
      : topics_(std::move(topics)), times_(times) {
    membership_.group = std::move(group);
  }

  /// One attempt. None: the group has begun anew meanwhile.
  Result<std::optional<Share>> JoinOnce();
  /// kUnavailable and retryable: at once, or later, again.
  Result<Joined> SendJoin(Connection& coordinator);
  /// What the leader gives each member, encoded.
  Result<std::map<std::string, std::string>> ShareOut(const kafka::JoinGroupResponse& joined);
  /// None: the group has begun anew.
  Result<std::optional<std::vector<TopicPartition>>> Sync(Connection& coordinator,
                                                          const kafka::JoinGroupResponse& joined);
  Result<std::vector<Place>> Positions(Connection& coordinator, const std::vector<TopicPartition>& partitions);
  Result<ConnectionRef> Coordinator();
  /// Of what a coordinator refused. What it has lost, and what has moved, is forgotten.
  Error Refused(std::int16_t code, std::string_view what);
  [[nodiscard]] bool Stopped() const;
  /// Repeats while it may succeed later: at most retry_for, and `leave` once the stop was asked for.
  template <class Attempt>
  auto Retrying(Attempt attempt) -> decltype(attempt());

  const std::vector<std::string> topics_;
  const MemberTimes times_;
  std::unique_ptr<Alarm> stop_, calm_;  // rung by the stop; never rung. Both outlive the cluster
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Heartbeats> heartbeats_;
  ConnectionRef coordinator_;
  Membership membership_;     // no member: it has not joined; generation -1: it is in none
  std::int32_t shared_ = -1;  // the last generation that it had a part in
  bool lost_ = false;         // others may have read its partitions since it had them
  bool must_join_ = true;
};

}  // namespace millrace::client
