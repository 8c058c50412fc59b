// A member of a group as its client speaks for it, on a connection of its own. Requests and answers are calls of their
// own where others are to ask meanwhile. Blocking; whatever is refused ends the program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/wire/wire.h"
#include "millrace/types.h"

namespace millrace::bench {

class GroupMember {
 public:
  /// Connects, and asks for the versions as every client does first. It reads one topic.
  GroupMember(std::uint16_t port, std::string group, std::string topic);

  /// Has itself given an id, which the group waits for from then on.
  void TakeId();
  void SendJoin();
  /// Once the generation is complete.
  void ReceiveJoin();
  /// The leader gives each member its part of the topic's partitions, [0, partitions), parts as equal as can be.
  void SendSync(std::int32_t partitions);
  void ReceiveSync();
  [[nodiscard]] const std::vector<TopicPartition>& assigned() const { return assigned_; }

  void SendHeartbeat();
  void ReceiveHeartbeat();
  /// Where the group has come to in a partition.
  void SendCommit(std::int32_t partition, std::int64_t offset);
  void ReceiveCommit();

  [[nodiscard]] const Wire& wire() const { return wire_; }

 private:
  [[nodiscard]] std::string JoinFrame() const;

  Wire wire_;
  std::string group_, topic_, id_;
  std::int32_t generation_ = -1;
  std::vector<std::string> members_;  // of the generation, if it leads
  std::vector<TopicPartition> assigned_;
  std::string heartbeat_;  // its frame
};

}  // namespace millrace::bench
