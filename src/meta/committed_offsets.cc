#include "meta/committed_offsets.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/try.h"
#include "meta/find_row.h"
#include "meta/group_members.h"
#include "meta/metadata_rows.h"

namespace millrace {
namespace {

constexpr std::size_t kPositionsAPage = 1'000;
constexpr PartitionKey kLowest{TopicId(std::numeric_limits<std::int64_t>::min()),
                               PartitionId(std::numeric_limits<std::int32_t>::min())};

/// The rows of a group as they are, those of topics that are gone among them.
Result<std::vector<PositionRow>> RowsOf(MetadataStore& store, std::string_view group) {
  // Behind the group: no name lies between `group` and `group` with a zero byte.
  return ScanRows(store, PositionKey{std::string(group), kLowest}, PositionKey{std::string(group) + '\0', kLowest},
                  std::numeric_limits<std::size_t>::max());
}

std::vector<TopicKey> TopicsOf(std::span<const PositionRow> positions) {
  std::set<TopicKey> topics;
  for (const PositionRow& position : positions) topics.insert({position.key.partition.topic});
  return {topics.begin(), topics.end()};
}

/// Positions of topics that are gone are on their way out.
Result<void> KeepThoseOfTopics(MetadataStore& store, std::vector<PositionRow>& positions) {
  MR_ASSIGN_OR_RETURN(const auto topics, FindRows(store, TopicsOf(positions)));
  std::set<TopicId> present;
  for (const TopicRow& topic : topics) present.insert(topic.id);
  std::erase_if(positions, [&](const PositionRow& row) { return !present.contains(row.key.partition.topic); });
  return {};
}

}  // namespace

Result<Transition> CommitPositionsRule(std::span<const TopicRow> topics, std::span<const PositionRow> positions) {
  Transition to;
  for (const TopicRow& topic : topics) to.Expect(topic);
  for (const PositionRow& position : positions) {
    const PartitionKey& key = position.key.partition;
    const auto topic = std::ranges::lower_bound(topics, key.topic, {}, &TopicRow::id);
    const bool there = topic != topics.end() && topic->id == key.topic && key.partition >= PartitionId(0) &&
                       key.partition < PartitionId(topic->options.partitions);
    if (!there) return PartitionNotFound(key);
    to.Put(position);
  }
  return to;
}

Result<void> CommittedOffsets::CommitPositions(std::span<const PositionRow> positions) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    // Asked also for no positions: a closed store says so.
    const std::vector<TopicKey> topics = TopicsOf(positions);
    MR_ASSIGN_OR_RETURN(auto rows, store_.Get(std::vector<MetadataKey>(topics.begin(), topics.end())));
    std::vector<TopicRow> found;
    for (auto& row : rows)
      if (row) found.push_back(std::get<TopicRow>(*std::move(row)));
    return CommitPositionsRule(found, positions);
  });
}

Result<std::vector<PositionRow>> CommittedOffsets::Positions(std::string_view group) const {
  MR_ASSIGN_OR_RETURN(auto rows, RowsOf(store_, group));
  MR_TRY(KeepThoseOfTopics(store_, rows));
  return rows;
}

Result<void> CommittedOffsets::VisitPositions(const std::function<void(const PositionRow&)>& visit) const {
  for (PositionKey from{{}, kLowest};;) {
    MR_ASSIGN_OR_RETURN(const auto page, ScanRows(store_, from, EndOfTable{}, kPositionsAPage));
    for (const PositionRow& row : page) visit(row);
    if (page.size() < kPositionsAPage) return {};
    from = page.back().key;
    from.partition.partition = PartitionId(from.partition.partition.value() + 1);
  }
}

Result<std::vector<std::string>> CommittedOffsets::Groups() const {
  std::vector<std::string> groups;
  PositionKey from{{}, kLowest};
  for (;;) {
    MR_ASSIGN_OR_RETURN(auto page, ScanRows(store_, from, EndOfTable{}, kPositionsAPage));
    const bool last = page.size() < kPositionsAPage;
    if (!last) {
      from = page.back().key;
      from.partition.partition = PartitionId(from.partition.partition.value() + 1);
    }
    MR_TRY(KeepThoseOfTopics(store_, page));
    for (const PositionRow& row : page)
      if (groups.empty() || groups.back() != row.key.group) groups.push_back(row.key.group);
    if (last) return groups;
  }
}

Result<bool> CommittedOffsets::DeleteGroup(std::string_view group) const {
  bool found = false;
  MR_TRY(CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(auto rows, RowsOf(store_, group));
    MR_ASSIGN_OR_RETURN(auto stored, FindRow(store_, GroupKey{std::string(group)}));
    MR_ASSIGN_OR_RETURN(auto members, MembersOf(store_, group));
    Transition to;
    for (PositionRow& row : rows) to.Erase(std::move(row));
    for (GroupMemberRow& member : members) to.Erase(std::move(member));
    if (stored) to.Erase(*std::move(stored));
    found = found || !to.writes.empty();
    return to;
  }));
  return found;
}

Result<void> CommittedOffsets::Forget(std::span<const PositionRow> positions) const {
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    std::vector<PositionKey> keys;
    for (const PositionRow& row : positions) keys.push_back(row.key);
    MR_ASSIGN_OR_RETURN(const auto found, FindRows(store_, keys));
    Transition to;
    for (const PositionRow& row : positions) {
      if (std::ranges::find(found, row) == found.end()) continue;
      to.Expect(row);
      to.Erase(row);
    }
    return to;
  });
}

}  // namespace millrace
