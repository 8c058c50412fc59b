#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/groups_rows/group_member.h"
#include "bench/groups_rows/groups_rows.h"
#include "bench/harness/stopwatch.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kMembersOfGroup = 10;
constexpr std::int32_t kPartitions = 100;
constexpr double kHeartbeatSeconds = 3;  // from one of a member to its next, as Kafka's consumer has it by default
constexpr int kHeartbeats = 2;           // of each member in a run
constexpr double kMicroseconds = 1e6;

/// Groups that are full, each member on a connection of its own.
class Crowd {
 public:
  Crowd(std::uint16_t port, std::size_t groups) {
    for (std::size_t i = 0; i < groups * kMembersOfGroup; ++i)
      members_.emplace_back(port, fmt::format("group-{}", i / kMembersOfGroup), kTopic);
  }
  void Join() {
    for (std::size_t first = 0; first < members_.size(); first += kMembersOfGroup) {
      const auto each = [&](auto call) {
        for (std::size_t i = 0; i < kMembersOfGroup; ++i) call(members_[first + i]);
      };
      each([](GroupMember& member) { member.TakeId(); });
      each([](GroupMember& member) { member.SendJoin(); });
      each([](GroupMember& member) {
        member.ReceiveJoin();
        member.SendSync(kPartitions);
      });
      each([](GroupMember& member) { member.ReceiveSync(); });
    }
  }
  [[nodiscard]] std::deque<GroupMember>& members() { return members_; }

 private:
  std::deque<GroupMember> members_;
};

/// A connection a member, at both ends.
void AllowManyFiles() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

/// The server's processor time for each, all that it does meanwhile included. They come evenly spread, so many at once.
double CpuPerHeartbeat(const ServerProcess& server, std::deque<GroupMember>& members, std::size_t at_once) {
  const double gap = kHeartbeatSeconds / static_cast<double>(members.size());
  const double before = server.CpuSeconds();
  const Stopwatch watch;
  std::size_t sent = 0;
  for (int round = 0; round < kHeartbeats; ++round) {
    for (std::size_t first = 0; first < members.size(); first += at_once) {
      const double early = gap * static_cast<double>(sent) - watch.seconds();
      if (early > 0) std::this_thread::sleep_for(std::chrono::duration<double>(early));
      const std::size_t end = std::min(first + at_once, members.size());
      for (std::size_t i = first; i < end; ++i) members[i].SendHeartbeat();
      for (std::size_t i = first; i < end; ++i) members[i].ReceiveHeartbeat();
      sent += end - first;
    }
  }
  return (server.CpuSeconds() - before) / static_cast<double>(sent) * kMicroseconds;
}

void HeartbeatRows(Suite& suite, std::size_t groups) {
  const auto row = [groups](std::string_view name, std::string_view how, std::vector<Goal> goals) {
    return Row{std::string(name), "us",
               fmt::format("server's processor time; {} groups of 10 members, a connection a member, a heartbeat each "
                           "3 s, {}, over 6 s",
                           groups, how),
               Better::kLower, std::move(goals)};
  };
  const Row alone = row("groups: idle, CPU per heartbeat", "evenly spread", {{{}, 15}});
  const Row many = row("groups: CPU per heartbeat, 100 at once", "100 at once", {});
  if (!suite.Wants(alone) && !suite.Wants(many)) return;
  const auto server = ServeGroups(suite, "heartbeats", kPartitions);
  Crowd crowd(server->port(), groups);
  crowd.Join();
  suite.Compare(alone, {{"millrace", [&] { return CpuPerHeartbeat(*server, crowd.members(), 1); }}});
  suite.Compare(many, {{"millrace", [&] { return CpuPerHeartbeat(*server, crowd.members(), 100); }}});
}

void MemoryRow(Suite& suite, std::size_t groups) {
  const Row row{"groups: memory of a member",
                "KiB",
                fmt::format("growth of the server's resident set while the members of {} groups of 10 join, over "
                            "connections that were there before",
                            groups),
                Better::kLower,
                {}};
  if (!suite.Wants(row)) return;
  double connection_kib = 0;
  suite.Compare(row, {{"millrace",
                       [&] {
                         const auto server = ServeGroups(suite, "memory", kPartitions);
                         const auto members = static_cast<double>(groups * kMembersOfGroup);
                         const double begin = server->ResidentKib();
                         Crowd crowd(server->port(), groups);
                         const double connected = server->ResidentKib();
                         connection_kib = (connected - begin) / members;
                         crowd.Join();
                         return (server->ResidentKib() - connected) / members;
                       },
                       [&] { return fmt::format("beside {:.1f} KiB for its connection", connection_kib); }}});
}

}  // namespace

void CrowdRows(Suite& suite) {
  AllowManyFiles();
  const std::size_t groups = std::max<std::size_t>(suite.Scaled(1'000), 1);
  HeartbeatRows(suite, groups);
  MemoryRow(suite, groups);
}

}  // namespace millrace::bench
