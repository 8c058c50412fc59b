#include <fmt/core.h>

#include <cstdint>
#include <span>
#include <vector>

#include "bench/groups_rows/group_member.h"
#include "bench/groups_rows/groups_rows.h"
#include "bench/harness/stopwatch.h"
#include "bench/wire/poll.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kConnections = 64;
constexpr double kSeconds = 2;

/// The only member of its group, with all partitions.
GroupMember Alone(std::uint16_t port, std::size_t number, std::int32_t partitions) {
  GroupMember member(port, fmt::format("group-{}", number), kTopic);
  member.TakeId();
  member.SendJoin();
  member.ReceiveJoin();
  member.SendSync(partitions);
  member.ReceiveSync();
  return member;
}

/// Each commits its next position when the one before is durable. `offset` goes up, so that each commit changes a row.
double CommitsPerSecond(std::span<GroupMember> members, std::int64_t& offset) {
  Poll poll;
  for (std::size_t i = 0; i < members.size(); ++i) poll.Add(members[i].wire(), i);
  const auto send = [&](std::size_t i) { members[i].SendCommit(static_cast<std::int32_t>(i), ++offset); };
  std::size_t waiting = members.size(), commits = 0;
  const Stopwatch watch;
  for (std::size_t i = 0; i < members.size(); ++i) send(i);
  while (waiting > 0) {
    for (const std::size_t ready : poll.Wait()) {
      members[ready].ReceiveCommit();
      ++commits;
      if (watch.seconds() < kSeconds)
        send(ready);
      else
        --waiting;
    }
  }
  return static_cast<double>(commits) / watch.seconds();
}

}  // namespace

void CommitRow(Suite& suite) {
  const Row row{"groups: commits, 64 connections",
                "commits/s",
                "OffsetCommit v9 of one partition, one in flight a connection, each the member of a group of its own; "
                "durable before the answer",
                Better::kHigher,
                {{{}, 20'000}, {1, 50}}};
  if (!suite.Wants(row)) return;
  constexpr auto kPartitions = static_cast<std::int32_t>(kConnections);
  const auto server = ServeGroups(suite, "commits", kPartitions);
  std::vector<GroupMember> members;
  for (std::size_t i = 0; i < kConnections; ++i) members.push_back(Alone(server->port(), i, kPartitions));
  std::int64_t offset = 0;
  suite.Compare(row, {{"millrace", [&] { return CommitsPerSecond(members, offset); }},
                      {"one connection", [&] { return CommitsPerSecond({members.data(), 1}, offset); }}});
}

}  // namespace millrace::bench
