#include "tier/groups_passed.h"

#include <algorithm>

#include "base/try.h"
#include "meta/committed_offsets.h"

namespace millrace {

Result<GroupsPassed> GroupsPassed::Read(MetadataStore& metadata, const std::vector<TopicId>& topics) {
  GroupsPassed passed;
  if (topics.empty()) return passed;
  for (const TopicId topic : topics) passed.readers_.try_emplace(topic);
  MR_TRY(CommittedOffsets(metadata).VisitPositions([&](const PositionRow& row) {
    const PartitionKey& partition = row.key.partition;
    const auto of_topic = passed.readers_.find(partition.topic);
    if (of_topic == passed.readers_.end()) return;
    Readers& readers = of_topic->second;
    readers.groups += readers.groups == 0 || readers.last != row.key.group ? 1 : 0;
    readers.last = row.key.group;
    const auto [place, first] = passed.lowest_.try_emplace(partition, Lowest{.position = row.position});
    place->second.position = std::min(place->second.position, row.position);
    ++place->second.groups;
  }));
  return passed;
}

std::optional<Offset> GroupsPassed::Of(const PartitionKey& partition) const {
  const auto readers = readers_.find(partition.topic);
  if (readers == readers_.end()) return Offset(0);
  if (readers->second.groups == 0) return std::nullopt;
  const auto lowest = lowest_.find(partition);
  if (lowest == lowest_.end() || lowest->second.groups < readers->second.groups) return Offset(0);
  return lowest->second.position;
}

}  // namespace millrace
