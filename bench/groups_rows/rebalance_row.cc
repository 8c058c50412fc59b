#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>

#include "bench/groups_rows/group_member.h"
#include "bench/groups_rows/groups_rows.h"
#include "bench/harness/stopwatch.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kMembers = 100;
constexpr std::int32_t kPartitions = 1'000;
constexpr int kGroups = 10;

/// Every partition has one owner.
void CheckAssigned(const std::deque<GroupMember>& members) {
  std::set<std::int32_t> partitions;
  std::size_t assigned = 0;
  for (const GroupMember& member : members) {
    for (const TopicPartition& each : member.assigned()) partitions.insert(each.partition.value());
    assigned += member.assigned().size();
  }
  if (assigned != kPartitions || partitions.size() != kPartitions) Die("not every partition has one owner");
}

/// From the last join that is sent to the last sync that is answered. All have their ids before, so that the group is
/// complete with that join, and not before it.
double RebalanceMs(std::uint16_t port, const std::string& group) {
  std::deque<GroupMember> members;
  for (std::size_t i = 0; i < kMembers; ++i) members.emplace_back(port, group, kTopic).TakeId();
  for (std::size_t i = 0; i + 1 < kMembers; ++i) members[i].SendJoin();
  const Stopwatch watch;
  members.back().SendJoin();
  for (GroupMember& member : members) {
    member.ReceiveJoin();
    member.SendSync(kPartitions);
  }
  for (GroupMember& member : members) member.ReceiveSync();
  const double milliseconds = watch.milliseconds();
  CheckAssigned(members);
  return milliseconds;
}

}  // namespace

void RebalanceRow(Suite& suite) {
  const Row row{"groups: rebalance of 100 members over 1,000 partitions",
                "ms",
                "from the last JoinGroup sent to the last SyncGroup answered, a connection a member, initial delay 0; "
                "the slowest of 10 groups",
                Better::kLower,
                {{{}, 1'000}}};
  if (!suite.Wants(row)) return;
  const auto server = ServeGroups(suite, "rebalance", kPartitions);
  int groups = 0;
  suite.Compare(row, {{"millrace", [&] {
                         double slowest = 0;
                         for (int i = 0; i < kGroups; ++i)
                           slowest = std::max(slowest, RebalanceMs(server->port(), fmt::format("group-{}", ++groups)));
                         return slowest;
                       }}});
}

}  // namespace millrace::bench
