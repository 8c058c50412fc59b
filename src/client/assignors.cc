#include "client/assignors.h"

#include <algorithm>
#include <set>

namespace millrace::client {
namespace {

/// Subscribers by id, each with what it reads.
std::map<std::string, std::set<std::string>> ById(const std::vector<Subscriber>& subscribers) {
  std::map<std::string, std::set<std::string>> by_id;
  for (const Subscriber& one : subscribers) by_id[one.id].insert(one.topics.begin(), one.topics.end());
  return by_id;
}

}  // namespace

Shares AssignRange(const std::vector<Subscriber>& subscribers, const PartitionCounts& counts) {
  const auto by_id = ById(subscribers);
  Shares shares;
  for (const auto& [id, topics] : by_id) shares[id];
  for (const auto& [topic, count] : counts) {
    std::vector<std::string> readers;
    for (const auto& [id, topics] : by_id)
      if (topics.contains(topic)) readers.push_back(id);
    const auto members = static_cast<std::int32_t>(readers.size());
    std::int32_t next = 0;
    for (std::int32_t i = 0; i < members; ++i)
      for (std::int32_t left = count / members + (i < count % members ? 1 : 0); left > 0; --left)
        shares[readers[static_cast<std::size_t>(i)]].push_back({topic, PartitionId(next++)});
  }
  return shares;
}

Shares AssignRoundRobin(const std::vector<Subscriber>& subscribers, const PartitionCounts& counts) {
  const auto by_id = ById(subscribers);
  Shares shares;
  for (const auto& [id, topics] : by_id) shares[id];
  auto turn = by_id.begin();
  for (const auto& [topic, count] : counts) {
    const auto reads = [&topic](const auto& one) { return one.second.contains(topic); };
    if (std::ranges::none_of(by_id, reads)) continue;
    for (std::int32_t number = 0; number < count; ++number) {
      while (!reads(*turn))
        if (++turn == by_id.end()) turn = by_id.begin();
      shares[turn->first].push_back({topic, PartitionId(number)});
      if (++turn == by_id.end()) turn = by_id.begin();
    }
  }
  return shares;
}

}  // namespace millrace::client
