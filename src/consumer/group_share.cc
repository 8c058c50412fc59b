#include "consumer/group_share.h"

#include <algorithm>

namespace millrace {

void GroupShare::Join(Member member, std::span<const std::string> topics, std::span<const PartitionKey> own) {
  Wish& wish = members_[member];
  wish.topics.insert(topics.begin(), topics.end());
  wish.own.insert(own.begin(), own.end());
  for (const PartitionKey& partition : own) owner_[partition] = member;
  Aim();
}

std::optional<PartitionKey> GroupShare::Conflict(std::span<const PartitionKey> own) const {
  const auto taken = std::ranges::find_if(own, [&](const PartitionKey& each) { return owner_.contains(each); });
  if (taken == own.end()) return {};
  return *taken;
}

void GroupShare::Leave(Member member) {
  members_.erase(member);
  std::erase_if(owner_, [&](const auto& owned) { return owned.second == member; });
  Aim();
}

void GroupShare::SetPartitions(std::string_view topic, std::span<const PartitionKey> partitions) {
  topics_.insert_or_assign(std::string(topic), std::vector(partitions.begin(), partitions.end()));
  Aim();
}

/// Range: each topic's partitions, in order, in runs, one per member that reads it; the first ones get one more.
void GroupShare::Aim() {
  target_.clear();
  for (const auto& [member, wish] : members_)
    for (const PartitionKey& partition : wish.own) target_[partition] = member;
  for (const auto& [topic, partitions] : topics_) {
    std::vector<Member> readers;
    for (const auto& [member, wish] : members_)
      if (wish.topics.contains(topic)) readers.push_back(member);
    if (readers.empty()) continue;
    std::vector<PartitionKey> shared;
    std::ranges::copy_if(partitions, std::back_inserter(shared),
                         [&](const PartitionKey& each) { return !target_.contains(each); });
    const std::size_t least = shared.size() / readers.size(), more = shared.size() % readers.size();
    std::size_t at = 0;
    for (std::size_t i = 0; i < readers.size(); ++i)
      for (std::size_t count = least + (i < more ? 1 : 0); count > 0; --count) target_[shared[at++]] = readers[i];
  }
}

bool GroupShare::Advance(Member member) {
  const auto aimed = [&](const PartitionKey& partition) {
    const auto target = target_.find(partition);
    return target != target_.end() && target->second == member;
  };
  const std::size_t given =
      std::erase_if(owner_, [&](const auto& owned) { return owned.second == member && !aimed(owned.first); });
  for (const auto& [partition, target] : target_)
    if (target == member) owner_.try_emplace(partition, member);
  return given > 0;
}

bool GroupShare::Owns(Member member, const PartitionKey& partition) const {
  const auto owner = owner_.find(partition);
  return owner != owner_.end() && owner->second == member;
}

}  // namespace millrace
