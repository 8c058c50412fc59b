// Consumers, and groups as names for positions.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "consumer/consumer_table.h"
#include "engine/front_door.h"
#include "meta/committed_offsets.h"
#include "meta/find_row.h"
#include "meta/group_members.h"
#include "meta/group_name.h"
#include "meta/segment_catalog.h"
#include "tier/offset_ceiling.h"

namespace millrace {
namespace {

/// Offsets in [begin, end) that were lost with a disk, or never given: nobody lags behind by them. Only a range as wide
/// as such a gap is looked at.
Result<std::int64_t> LostWithDisks(MetadataStore& metadata, const PartitionKey& partition, Offset begin, Offset end) {
  constexpr std::size_t kPage = 1'000;
  std::int64_t lost = 0;
  while (end - begin >= kOffsetsAhead / 2) {
    MR_ASSIGN_OR_RETURN(const auto segments, SegmentCatalog(metadata).Segments(partition, begin, kPage));
    for (const SegmentRow& segment : segments)
      if (segment.is_lost_disk()) lost += std::min(segment.end, end) - std::max(segment.base, begin);
    if (segments.size() < kPage) break;
    begin = segments.back().end;
  }
  return lost;
}

}  // namespace

Result<std::unique_ptr<Consumer>> Engine::OpenConsumer(ConsumerOptions options) noexcept {
  return Inside(*state_, [&](State& state) -> Result<std::unique_ptr<Consumer>> {
    if (!options.group.empty()) {
      MR_TRY(state.CheckWritable());  // it could not commit
      MR_TRY(CheckGroupName(options.group));
    }
    ConsumerTable::Subscription subscription{.topics = options.topics};
    for (const std::string& name : options.topics) MR_TRY(state.FindTopic(name));
    for (const TopicPartition& name : options.partitions) {
      MR_ASSIGN_OR_RETURN(Partition * partition, state.FindPartition(name));
      if (std::ranges::find(subscription.partitions, partition) == subscription.partitions.end())
        subscription.partitions.push_back(partition);
    }
    if (options.topics.empty() && options.partitions.empty())
      return Error(ErrorCode::kInvalidArgument, "a consumer reads at least one topic or partition");
    std::function<ThreadPool*()> read_pool;
    if (state.background_ == Background::kThreads)
      read_pool = [&inside = state] { return inside.ReadPool().value_or(nullptr); };
    return state.consumers_.Open({.group = options.group,
                                  .reset = options.reset,
                                  .on_damage = options.on_damage,
                                  .fetch_size = state.options_.read.fetch_size,
                                  .read_pool = std::move(read_pool)},
                                 std::move(subscription));
  });
}

Result<std::vector<std::string>> Engine::ListGroups() noexcept {
  return Inside(*state_, [](State& state) { return CommittedOffsets(*state.components_.metadata).Groups(); });
}

Result<std::vector<GroupPosition>> Engine::DescribeGroup(std::string_view group) noexcept {
  return Inside(*state_, [&](State& state) -> Result<std::vector<GroupPosition>> {
    MR_TRY(CheckGroupName(group));
    MR_ASSIGN_OR_RETURN(const auto stored, state.positions_.Load(group));
    if (stored.empty()) return Error(ErrorCode::kNotFound, fmt::format("there is no group {}", group));
    MR_DCHECK(std::ranges::is_sorted(stored, {}, &PartitionPosition::partition), stored.size());
    std::vector<GroupPosition> positions;
    for (Topic* topic : state.registry_.Topics()) {
      const auto first = std::ranges::lower_bound(stored, PartitionKey{topic->id(), PartitionId(0)}, {},
                                                  &PartitionPosition::partition);
      if (first == stored.end() || first->partition.topic != topic->id()) continue;
      for (Partition* partition : topic->partitions()) {
        const auto found = std::ranges::lower_bound(stored, partition->key(), {}, &PartitionPosition::partition);
        const bool is_stored = found != stored.end() && found->partition == partition->key();
        const OffsetBounds bounds = partition->bounds();
        // In a topic the group reads, a partition without a commit counts from where the group would begin.
        if (!is_stored && bounds.end == bounds.log_start) continue;
        const Offset position = is_stored ? found->position : bounds.log_start;
        const Offset from = std::max(position, bounds.log_start);
        MR_ASSIGN_OR_RETURN(const std::int64_t lost,
                            LostWithDisks(*state.components_.metadata, partition->key(), from, bounds.end));
        const std::int64_t lag = bounds.end - from - lost;
        positions.push_back({partition->name(), position, static_cast<std::uint64_t>(std::max<std::int64_t>(0, lag))});
      }
    }
    std::ranges::sort(positions, {}, &GroupPosition::partition);
    return positions;
  });
}

Result<GroupMembership> Engine::DescribeGroupMembers(std::string_view group) noexcept {
  return Inside(*state_, [&](State& state) -> Result<GroupMembership> {
    MR_TRY(CheckGroupName(group));
    MetadataStore& metadata = *state.components_.metadata;
    GroupMembership told{.state = "Empty", .protocol_type = {}, .protocol = {}, .members = {}};
    MR_ASSIGN_OR_RETURN(auto row, FindRow(metadata, GroupKey{std::string(group)}));
    if (!row) return told;
    told.protocol_type = std::move(row->protocol_type);
    told.protocol = std::move(row->protocol);
    MR_ASSIGN_OR_RETURN(auto members, MembersOf(metadata, group));
    std::ranges::sort(members, {}, &GroupMemberRow::place);
    for (GroupMemberRow& member : members) {
      told.members.push_back({.member = std::move(member.key.member),
                              .instance = std::move(member.instance),
                              .client_id = std::move(member.client_id),
                              .client_host = std::move(member.client_host),
                              .assignment = std::move(member.assignment)});
    }
    if (!told.members.empty()) told.state = "Stable";
    return told;
  });
}

Result<void> Engine::SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) noexcept {
  return Changing(*state_, [&](State& state) -> Result<void> {
    MR_TRY(CheckGroupName(group));
    MR_ASSIGN_OR_RETURN(Partition * found, state.FindPartition(partition));
    MR_TRY(found->CheckAlive());
    const OffsetBounds bounds = found->bounds();
    if (position < bounds.log_start || position > bounds.end)
      return Error(ErrorCode::kOutOfRange,
                   fmt::format("{}/{} has offsets {} to {}, not {}", partition.topic, partition.partition.value(),
                               bounds.log_start.value(), bounds.end.value(), position.value()))
          .WithBounds(bounds);
    const PartitionPosition row{found->key(), position};
    return state.positions_.Store(group, {&row, 1});
  });
}

Result<void> Engine::DeleteGroup(std::string_view group) noexcept {
  return Changing(*state_, [&](State& state) -> Result<void> {
    MR_TRY(CheckGroupName(group));
    return state.positions_.Remove(group);
  });
}

std::optional<std::vector<PartitionSource*>> Engine::State::SourcesOf(std::string_view topic) const {
  const Topic* found = registry_.Find(topic);
  if (found == nullptr) return {};
  const auto& partitions = found->partitions();
  return std::vector<PartitionSource*>(partitions.begin(), partitions.end());
}

}  // namespace millrace
