#include "meta/group_catalog.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/try.h"
#include "meta/committed_offsets.h"
#include "meta/find_row.h"
#include "meta/group_members.h"
#include "meta/transition.h"

namespace millrace {
namespace {

constexpr std::size_t kGroupsAPage = 1'000;

/// Members that are not of `group` any more go, the others are written.
Result<void> PutGroup(MetadataStore& store, const StoredGroup& group, Transition& to) {
  std::set<std::string_view> present;
  for (const GroupMemberRow& member : group.members) present.insert(member.key.member);
  MR_ASSIGN_OR_RETURN(auto before, MembersOf(store, group.row.name));
  for (GroupMemberRow& member : before)
    if (!present.contains(member.key.member)) to.Erase(std::move(member));
  to.Put(group.row);
  for (const GroupMemberRow& member : group.members) to.Put(member);
  return {};
}

Result<std::vector<TopicRow>> TopicsOf(MetadataStore& store, std::span<const PositionRow> positions) {
  std::set<TopicKey> topics;
  for (const PositionRow& position : positions) topics.insert({position.key.partition.topic});
  return FindRows(store, std::vector<TopicKey>(topics.begin(), topics.end()));
}

}  // namespace

Result<void> GroupCatalog::Store(std::span<const PositionRow> positions, std::span<const StoredGroup> groups) const {
  std::map<std::string_view, const StoredGroup*> last;
  for (const StoredGroup& group : groups) last[group.row.name] = &group;
  return CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto topics, TopicsOf(store_, positions));
    MR_ASSIGN_OR_RETURN(Transition to, CommitPositionsRule(topics, positions));
    for (const auto& [name, group] : last) MR_TRY(PutGroup(store_, *group, to));
    return to;
  });
}

Result<std::vector<StoredGroup>> GroupCatalog::Groups() const {
  std::vector<StoredGroup> groups;
  for (GroupKey from;;) {
    MR_ASSIGN_OR_RETURN(auto page, ScanRows(store_, from, EndOfTable{}, kGroupsAPage));
    for (GroupRow& row : page) {
      StoredGroup& group = groups.emplace_back();
      group.row = std::move(row);
      if (group.row.empty_since_ms != 0) continue;
      MR_ASSIGN_OR_RETURN(group.members, MembersOf(store_, group.row.name));
      std::ranges::sort(group.members, {}, &GroupMemberRow::place);
    }
    if (page.size() < kGroupsAPage) return groups;
    from = {groups.back().row.name + '\0'};
  }
}

}  // namespace millrace
