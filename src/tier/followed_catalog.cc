#include "tier/followed_catalog.h"

#include <algorithm>

#include "base/check.h"
#include "meta/topic_rules.h"

namespace millrace {

/// Rows of a snapshot were read one table after the other while others were written: what does not fit is mended here.
FollowedNews FollowedCatalog::TakeSnapshot(Snapshot snapshot) {
  MR_CHECK(topics_.empty() && objects_.empty(), topics_.size(), objects_.size());
  FollowedNews news;
  settings_.TakeSnapshot(snapshot);
  settled_[{snapshot.head.generation, snapshot.head.nonce}] = snapshot.head.settled;
  for (const StoreRow& row : snapshot.store)
    if (row.name == kNextTopicName) snapshot_topic_ = next_topic_ = row.number;
  for (const PartitionRow& row : snapshot.partitions)
    partitions_[row.key] = {.row = row, .log_start = row.log_start, .pieces = {}};
  for (TopicRow& row : snapshot.topics)
    if (partitions_.contains({row.id, PartitionId(0)})) topics_[row.id] = std::move(row);  // else it was being deleted
  std::erase_if(partitions_, [&](const auto& partition) { return !topics_.contains(partition.first.topic); });
  std::set<ObjectId> objects;
  for (const ObjectRow& row : snapshot.objects) objects.insert(row.id);
  std::map<PartitionKey, std::vector<SegmentRow>> segments;
  std::map<ObjectId, std::uint64_t> in_use;
  for (const SegmentRow& row : snapshot.segments) {
    if (!partitions_.contains(row.partition) || (!row.is_gap() && !objects.contains(row.object))) continue;
    if (!row.is_gap()) ++in_use[row.object];
    segments[row.partition].push_back(row);
  }
  for (ObjectRow& row : snapshot.objects) {
    const auto count = in_use.find(row.id);
    if (count == in_use.end()) continue;
    row.state = ObjectState::kCommitted;
    row.segments = count->second;
    news.objects.push_back(std::move(row));
  }
  for (auto& [key, base] : partitions_) {
    auto& own = segments[key];
    TakeBounds(base, own);
    news.partitions.push_back({.row = base.row, .from = Offset(0), .segments = std::move(own)});
  }
  for (const auto& [id, topic] : topics_) {
    TakePartitions(topic);
    touched_.insert(id);
  }
  topics_changed_ = true;
  news.positions = std::move(snapshot.positions);
  return news;
}

/// A partition was trimmed, or grew, between the reading of its row and of its segments.
void FollowedCatalog::TakeBounds(Base& base, std::vector<SegmentRow>& segments) {
  PartitionRow& row = base.row;
  std::erase_if(segments, [&](const SegmentRow& segment) { return segment.end <= row.log_start; });
  // A hole is where an object went meanwhile: all before it was trimmed.
  const auto hole = std::ranges::adjacent_find(
      segments.rbegin(), segments.rend(),
      [](const SegmentRow& later, const SegmentRow& earlier) { return earlier.end != later.base; });
  if (hole != segments.rend()) segments.erase(segments.begin(), hole.base() - 1);
  row.log_start = std::max(row.log_start, segments.empty() ? row.tiered_end : segments.front().base);
  row.tiered_end = segments.empty() ? row.log_start : segments.back().end;
  row.segments = segments.size();
  row.segment_bytes = 0;
  for (const SegmentRow& segment : segments) row.segment_bytes += segment.byte_size;
  base.log_start = row.log_start;
}

void FollowedCatalog::TakeObject(const FoundObject& object) {
  const ObjectDirectory& directory = object.directory;
  std::uint64_t& settled = settled_[{object.name.generation, object.name.nonce}];
  settled = std::max(settled, directory.settled);
  const ObjectId id = ObjectIdOf(object.name);
  objects_[id] = {.id = id,
                  .key = object.key,
                  .size_bytes = object.size_bytes,
                  .state = ObjectState::kCommitted,
                  .changed_ms = directory.written_ms};
  std::vector<std::optional<TopicId>> topics;
  for (const DirectoryTopic& topic : directory.topics) topics.push_back(TakeTopic(object, topic));
  for (const ObjectEntry& entry : directory.entries)
    if (const auto& topic = topics[entry.topic]) TakeEntry(object, entry, *topic);
}

/// The topic as it is known by now; none: it was deleted.
std::optional<TopicId> FollowedCatalog::TakeTopic(const FoundObject& object, const DirectoryTopic& topic) {
  TopicRow row{.id = topic.number,
               .uuid = TextOf(topic.uuid),
               .name = topic.name,
               .options = topic.options,
               .created_ms = topic.created_ms};
  const auto known = topics_.find(topic.number);
  if (known == topics_.end()) {
    if (topic.number.value() <= snapshot_topic_ || !MakeTopic(std::move(row))) return {};
    settings_.IsNewest(object, topic.number);
  } else if (StoredIdOf(known->second.uuid) != topic.uuid) {
    return {};
  } else {
    const std::int32_t partitions = std::max(known->second.options.partitions, topic.options.partitions);
    if (!settings_.IsNewest(object, topic.number)) row.options = known->second.options;
    row.options.partitions = partitions;  // they only grow
    row.uuid = known->second.uuid;
    row.created_ms = known->second.created_ms;
    if (!(row == known->second)) {
      known->second = std::move(row);
      TakePartitions(known->second);
      topics_changed_ = true;
    }
  }
  touched_.insert(topic.number);
  return topic.number;
}

/// Of two topics of one name the later one was made after the earlier one was deleted. False: it is the earlier one.
bool FollowedCatalog::MakeTopic(TopicRow row) {
  const auto namesake = std::ranges::find_if(topics_, [&](const auto& one) { return one.second.name == row.name; });
  if (namesake != topics_.end() && namesake->first > row.id) return false;
  if (namesake != topics_.end()) {
    const TopicId gone = namesake->first;
    topics_.erase(namesake);
    std::erase_if(partitions_, [&](const auto& partition) { return partition.first.topic == gone; });
  }
  next_topic_ = std::max(next_topic_, row.id.value());
  TakePartitions(topics_[row.id] = std::move(row));
  topics_changed_ = true;
  return true;
}

void FollowedCatalog::TakePartitions(const TopicRow& topic) {
  for (std::int32_t number = 0; number < topic.options.partitions; ++number) {
    const PartitionKey key{topic.id, PartitionId(number)};
    partitions_[key].row.key = key;
  }
}

void FollowedCatalog::TakeEntry(const FoundObject& object, const ObjectEntry& entry, TopicId topic) {
  const auto found = partitions_.find({topic, entry.partition});
  if (found == partitions_.end()) return;  // more than the topic says that it has
  Base& base = found->second;
  base.row.epoch = std::max(base.row.epoch, entry.epoch);
  base.log_start = std::max(base.log_start, entry.log_start);
  if (entry.byte_size == 0 || entry.rewritten) return;
  if (base.row.segments > 0 && entry.base < base.row.tiered_end) return;  // the snapshot has decided
  base.pieces.push_back({.row = {.partition = found->first,
                                 .base = entry.base,
                                 .end = entry.end,
                                 .object = ObjectIdOf(object.name),
                                 .byte_begin = entry.byte_begin,
                                 .byte_size = entry.byte_size,
                                 .records = entry.records,
                                 .timestamp_min_ms = entry.timestamp_min_ms,
                                 .timestamp_max_ms = entry.timestamp_max_ms,
                                 .committed_ms = object.directory.written_ms},
                         .object = object.name});
}

std::uint64_t FollowedCatalog::settled(std::uint32_t generation, std::uint32_t nonce) const {
  const auto settled = settled_.find({generation, nonce});
  return settled == settled_.end() ? 0 : settled->second;
}

FollowedNews FollowedCatalog::Link() {
  FollowedNews news;
  topics_told_ = news.topics_changed = std::exchange(topics_changed_, false);
  linked_ = std::exchange(touched_, {});
  has_gap_ = false;
  for (const auto& [id, topic] : topics_) news.topics.push_back(topic);
  for (const TopicId topic : linked_)
    for (auto at = partitions_.lower_bound({topic, PartitionId(0)});
         at != partitions_.end() && at->first.topic == topic; ++at)
      news.partitions.push_back(LinkPartition(at->second));
  std::map<ObjectId, std::uint64_t> in_use;
  for (const FollowedPartition& partition : news.partitions)
    for (const SegmentRow& segment : partition.segments)
      if (!segment.is_gap()) ++in_use[segment.object];
  for (const auto& [id, count] : in_use) {
    ObjectRow& row = objects_.at(id);
    row.segments = count;  // at least: topics that were not touched may have some, too
    news.objects.push_back(row);
  }
  return news;
}

FollowedPartition FollowedCatalog::LinkPartition(Base& base) {
  FollowedPartition linked{.row = base.row, .from = base.row.tiered_end, .segments = {}};
  FollowedChain chain =
      ChainFrom(std::max(base.row.tiered_end, base.log_start), base.pieces,
                [this](const ObjectName& name) { return name.sequence < settled(name.generation, name.nonce); });
  has_gap_ = has_gap_ || chain.has_gap;
  linked.row.log_start = base.log_start;
  linked.row.tiered_end = chain.end;
  linked.row.segments += chain.segments.size();
  for (const SegmentRow& segment : chain.segments) linked.row.segment_bytes += segment.byte_size;
  linked.segments = std::move(chain.segments);
  return linked;
}

void FollowedCatalog::LinkAgain() {
  touched_.merge(linked_);
  topics_changed_ = topics_changed_ || topics_told_;
}

}  // namespace millrace
