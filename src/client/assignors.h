// How the leader of a group shares partitions out, by the names under which clients agree on it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/types.h"

namespace millrace::client {

struct Subscriber {
  std::string id;                   // by which members are ordered
  std::vector<std::string> topics;  // each once
};
/// Topics by name, and how many partitions each has. One that is not there is shared out to nobody.
using PartitionCounts = std::map<std::string, std::int32_t>;
/// What each has, by id; everybody is in it.
using Shares = std::map<std::string, std::vector<TopicPartition>>;

inline constexpr std::string_view kRange = "range", kRoundRobin = "roundrobin";

/// Of each topic, runs of partitions as long as each other, the first members' one longer.
Shares AssignRange(const std::vector<Subscriber>& subscribers, const PartitionCounts& counts);
/// All partitions in turn, past those who do not read the topic.
Shares AssignRoundRobin(const std::vector<Subscriber>& subscribers, const PartitionCounts& counts);

}  // namespace millrace::client
