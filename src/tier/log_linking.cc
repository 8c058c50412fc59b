#include "tier/log_linking.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "meta/topic_rules.h"
#include "tier/chain_ways.h"
#include "tier/offset_ceiling.h"
#include "tier/told_settings.h"

namespace millrace {
namespace {

/// One segment in an object that the snapshot does not have.
struct Candidate {
  Offset base, end;
  const FoundObject* object = nullptr;
  const ObjectEntry* entry = nullptr;
};

/// A partition as the snapshot has it, and what was found besides.
struct FoundPartition {
  PartitionRow row;
  std::vector<SegmentRow> segments;
  std::vector<Candidate> candidates;
  LeaderEpoch epoch;             // that the snapshot tells; 0 if it does not know the partition
  std::vector<EpochRow> epochs;  // of the snapshot; then also those that linked objects tell of
  Offset ceiling = CeilingOver(Offset(0));
};

class Linking {
 public:
  Linking(const LogSurvey& found, std::int64_t now_ms) : found_(found), now_ms_(now_ms) {}

  LinkedLog Run() {
    TakeSnapshot();
    for (const FoundObject& object : found_.objects)
      if (!IsReleased()) TakeObject(object);
    DropNamesakes();
    for (auto& [id, topic] : topics_) TakeTopic(topic);
    CountObjects();
    TakePositions();
    TakeGroups();
    result_.producers = found_.producers.HeldIn(result_.topics, result_.partitions, result_.segments);
    result_.store = {{.name = std::string(kIdentityName), .text = found_.log.identity},
                     {.name = std::string(kNextTopicName), .number = next_topic_},
                     {.name = std::string(kProducerBlockName), .number = ProducerBlock()}};
    return std::move(result_);
  }

 private:
  /// kMissing: it was there once; damage. The others went with the disk, or were never given: readers step over them.
  enum class Reason { kMissing, kUnderWay, kReserved };

  /// The snapshot knows every offset that was given: there is nothing behind it, and nothing to stay above of.
  [[nodiscard]] bool IsReleased() const {
    return found_.snapshot && found_.released &&
           *found_.released == Generation{found_.snapshot->head.generation, found_.snapshot->head.nonce};
  }

  void TakeSnapshot() {
    if (!found_.snapshot) return;
    const Snapshot& snapshot = *found_.snapshot;
    settings_.TakeSnapshot(snapshot);
    settled_[{snapshot.head.generation, snapshot.head.nonce}] = snapshot.head.settled;
    for (const StoreRow& row : snapshot.store)
      if (row.name == kNextTopicName) snapshot_topic_ = next_topic_ = row.number;
    for (const TopicRow& row : snapshot.topics) {
      topics_[row.id] = row;
      next_topic_ = std::max(next_topic_, row.id.value());
    }
    for (const PartitionRow& row : snapshot.partitions) {
      FoundPartition& partition = partitions_[row.key];
      partition.row = row;
      partition.epoch = row.epoch;
      partition.ceiling = std::max(partition.ceiling, CeilingOver(row.tiered_end));
    }
    for (const EpochRow& row : snapshot.epochs) {
      const auto partition = partitions_.find(row.partition);
      if (partition != partitions_.end()) partition->second.epochs.push_back(row);
    }
    for (const ObjectRow& row : snapshot.objects) objects_[row.id] = row;
    for (const SegmentRow& row : snapshot.segments) {
      const auto partition = partitions_.find(row.partition);
      if (partition != partitions_.end()) partition->second.segments.push_back(row);
    }
    // A topic without partition rows was deleted while rows were read.
    std::set<TopicId> whole;
    for (const auto& [key, partition] : partitions_) whole.insert(key.topic);
    std::erase_if(topics_, [&](const auto& topic) { return !whole.contains(topic.first); });
    std::erase_if(partitions_, [&](const auto& partition) { return !topics_.contains(partition.first.topic); });
  }

  /// The topic as it is known by now; none: it was deleted before the snapshot was begun.
  std::optional<TopicId> TopicOf(const FoundObject& object, const DirectoryTopic& topic) {
    const std::string uuid = TextOf(topic.uuid);
    const auto known = topics_.find(topic.number);
    if (known == topics_.end()) {
      if (found_.snapshot && topic.number.value() <= snapshot_topic_) return {};
      topics_[topic.number] = {.id = topic.number,
                               .uuid = uuid,
                               .name = topic.name,
                               .options = topic.options,
                               .created_ms = topic.created_ms};
      next_topic_ = std::max(next_topic_, topic.number.value());
      settings_.IsNewest(object, topic.number);
    } else if (StoredIdOf(known->second.uuid) != topic.uuid) {
      return {};
    } else {
      const std::int32_t partitions = std::max(known->second.options.partitions, topic.options.partitions);
      if (settings_.IsNewest(object, topic.number)) known->second.options = topic.options;
      known->second.options.partitions = partitions;  // they only grow
    }
    return topic.number;
  }

  void TakeObject(const FoundObject& object) {
    std::uint64_t& settled = settled_[{object.name.generation, object.name.nonce}];
    settled = std::max(settled, object.directory.settled);
    const auto row = objects_.find(ObjectIdOf(object.name));
    if (row != objects_.end() && row->second.state == ObjectState::kDeleting) return;
    std::vector<std::optional<TopicId>> topics;
    for (const DirectoryTopic& topic : object.directory.topics) topics.push_back(TopicOf(object, topic));
    for (const ObjectEntry& entry : object.directory.entries) {
      const auto& topic = topics[entry.topic];
      if (!topic) continue;
      const PartitionKey key{*topic, entry.partition};
      FoundPartition& partition = partitions_[key];
      partition.row.key = key;
      partition.row.epoch = std::max(partition.row.epoch, entry.epoch);
      partition.row.log_start = std::max(partition.row.log_start, entry.log_start);
      partition.ceiling = std::max(partition.ceiling, entry.ceiling);
      if (entry.byte_size > 0 && !entry.rewritten)
        partition.candidates.push_back({entry.base, entry.end, &object, &entry});
    }
  }

  /// Of two topics of one name the later one was made after the earlier one was deleted.
  void DropNamesakes() {
    std::map<std::string, TopicId> names;
    for (const auto& [id, topic] : topics_) {  // by number
      const auto [name, first] = names.emplace(topic.name, id);
      if (first) continue;
      dropped_.insert(name->second);
      name->second = id;
    }
    std::erase_if(topics_, [&](const auto& topic) { return dropped_.contains(topic.first); });
  }

  void TakeTopic(TopicRow& topic) {
    for (std::int32_t number = 0; number < topic.options.partitions; ++number) {
      const PartitionKey key{topic.id, PartitionId(number)};
      FoundPartition& partition = partitions_[key];
      partition.row.key = key;
      TakePartition(partition, topic.name);
    }
    result_.topics.push_back(topic);
  }

  void TakePartition(FoundPartition& from, const std::string& topic) {
    PartitionRow row = from.row;
    row.segments = row.segment_bytes = 0;
    row.tiered_end = std::max(row.tiered_end, row.log_start);
    const TopicPartition name{topic, row.key.partition};
    FollowTrim(from, row);
    Offset at = row.log_start;
    for (const SegmentRow& segment : from.segments) {
      if (segment.end <= row.log_start) continue;
      if (!segment.is_gap() && !objects_.contains(segment.object)) continue;
      if (segment.base > at) at = AddGap(row, name, at, segment.base, Reason::kMissing);
      Add(row, segment);
      at = segment.end;
    }
    // A partition without rows has been in its epoch from its beginning; that beginning is said once others follow.
    if (from.epochs.empty() && from.epoch > LeaderEpoch(0)) from.epochs.push_back({row.key, from.epoch, row.log_start});
    at = Link(from, row, name, at);
    TakeEpochs(from, row, at);
    ends_[row.key] = at;
    Offset ceiling = std::max(from.ceiling, at);
    if (IsReleased() || Planted(Bug::kRestoreCeilingIgnored)) ceiling = at;
    if (ceiling > at) AddGap(row, name, at, ceiling, Reason::kReserved);
    row.tiered_end = ceiling;
    row.log_start = std::min(row.log_start, ceiling);
    result_.partitions.push_back(row);
  }

  /// Segments of a whole log begin at its start or before it. If they do not, it was trimmed after the partition's row
  /// was read and before theirs were.
  static void FollowTrim(const FoundPartition& from, PartitionRow& row) {
    const auto first =
        std::ranges::find_if(from.segments, [&](const SegmentRow& segment) { return segment.end > row.log_start; });
    if (first != from.segments.end()) {
      row.log_start = std::max(row.log_start, first->base);
    } else if (from.row.tiered_end > row.log_start) {
      row.log_start = from.row.tiered_end;
    }
  }

  /// Adds the chains of candidates behind `at`, each the farthest that can be had; the end of the last.
  Offset Link(FoundPartition& from, PartitionRow& row, const TopicPartition& name, Offset at) {
    auto& candidates = from.candidates;
    std::ranges::sort(candidates, [](const Candidate& one, const Candidate& other) {
      return std::tie(one.base, one.end, one.object->name) < std::tie(other.base, other.end, other.object->name);
    });
    std::vector<ChainPiece> pieces;
    pieces.reserve(candidates.size());
    for (const Candidate& candidate : candidates) pieces.push_back({candidate.base, candidate.end});
    const ChainWays ways(pieces);
    const auto take = [&](std::size_t number) {
      const Candidate& taken = candidates[number];
      Add(row, SegmentOf(row.key, taken));
      TakeInUse(*taken.object);
      NoteEpoch(from, taken);
      at = taken.end;
    };
    // The log may begin within its first segment.
    if (at == row.log_start && !ways.At(at))
      if (const auto around = ways.Around(at)) take(*around);
    while (const auto base = ways.BaseFrom(at)) {
      if (*base > at) at = AddGap(row, name, at, *base, WhyMissing(candidates[*ways.At(*base)]));
      while (const auto next = ways.At(at)) take(*next);
    }
    return at;
  }

  /// An object tells the epoch under which it was uploaded, and not where that began: at its first offset or behind it,
  /// since what came before was uploaded earlier, or is in it. Told too low, a client reads again what it has.
  static void NoteEpoch(FoundPartition& from, const Candidate& taken) {
    std::vector<EpochRow>& epochs = from.epochs;
    const LeaderEpoch epoch = taken.entry->epoch;
    if (epoch <= (epochs.empty() ? LeaderEpoch(0) : epochs.back().epoch)) return;
    while (!epochs.empty() && epochs.back().first >= taken.base) epochs.pop_back();
    epochs.push_back({from.row.key, epoch, taken.base});
  }

  /// Above all that the partition ever had, where what was found ends: who has read further, under an earlier epoch,
  /// learns that it is gone.
  void TakeEpochs(FoundPartition& from, PartitionRow& row, Offset end) {
    Transition unused;
    EpochGround ground{.partition = row, .epochs = std::move(from.epochs), .log_end = end, .seen = row.epoch};
    RaiseEpochRule(unused, ground);
    row.epoch = ground.partition.epoch;
    result_.epochs.insert(result_.epochs.end(), ground.epochs.begin(), ground.epochs.end());
  }

  /// Why there is a hole before `behind`. Commits are in the order of offsets: as long as its object is not known to be
  /// settled, it was under way when its process died, and so was what is missing before it. Nothing of either was
  /// acknowledged as uploaded.
  [[nodiscard]] Reason WhyMissing(const Candidate& behind) const {
    const ObjectName& name = behind.object->name;
    const auto settled = settled_.find({name.generation, name.nonce});
    const bool decided = settled != settled_.end() && name.sequence < settled->second;
    return decided ? Reason::kMissing : Reason::kUnderWay;
  }

  [[nodiscard]] SegmentRow SegmentOf(const PartitionKey& key, const Candidate& candidate) const {
    const ObjectEntry& entry = *candidate.entry;
    return {.partition = key,
            .base = entry.base,
            .end = entry.end,
            .object = ObjectIdOf(candidate.object->name),
            .byte_begin = entry.byte_begin,
            .byte_size = entry.byte_size,
            .records = entry.records,
            .timestamp_min_ms = entry.timestamp_min_ms,
            .timestamp_max_ms = entry.timestamp_max_ms,
            .committed_ms = now_ms_};
  }

  void TakeInUse(const FoundObject& object) {
    ObjectRow& row = objects_[ObjectIdOf(object.name)];
    if (row.state != ObjectState::kCommitted) ++result_.linked;
    row.id = ObjectIdOf(object.name);
    row.key = object.key;
    row.size_bytes = object.size_bytes;
    row.state = ObjectState::kCommitted;
    row.changed_ms = now_ms_;
  }

  void Add(PartitionRow& row, const SegmentRow& segment) {
    row.segments += 1;
    row.segment_bytes += segment.byte_size;
    result_.records += segment.records;
    if (!segment.is_gap()) ++in_use_[segment.object];
    result_.segments.push_back(segment);
  }

  Offset AddGap(PartitionRow& row, const TopicPartition& name, Offset begin, Offset end, Reason reason) {
    MR_CHECK(begin < end, begin.value(), end.value());
    result_.lost.push_back({name, begin, end, reason == Reason::kReserved});
    // What several disks lost one after the other is one gap.
    SegmentRow* last = result_.segments.empty() ? nullptr : &result_.segments.back();
    if (reason == Reason::kReserved && last != nullptr && last->partition == row.key && last->end == begin &&
        last->is_lost_disk()) {
      last->end = end;
      return end;
    }
    Add(row, {.partition = row.key,
              .base = begin,
              .end = end,
              .byte_begin = reason == Reason::kMissing ? 0 : kGapOfLostDisk,
              .committed_ms = now_ms_});
    return end;
  }

  /// What holds segments is committed, whatever it was when its row was read; what holds none is given up, or was
  /// never more than prepared.
  void CountObjects() {
    for (auto& [id, row] : objects_) {
      const auto count = in_use_.find(id);
      row.segments = count == in_use_.end() ? 0 : count->second;
      if (row.segments > 0) {
        row.state = ObjectState::kCommitted;
      } else if (row.state == ObjectState::kCommitted) {
        row.state = ObjectState::kDeleting;
        row.changed_ms = now_ms_;
      }
      result_.objects.push_back(row);
    }
    for (const FoundObject& object : found_.objects)
      result_.unlinked += in_use_.contains(ObjectIdOf(object.name)) ? 0 : 1;
  }

  /// None is ahead of what was found: from there on there is nothing to read before the ceiling.
  void TakePositions() {
    if (!found_.snapshot) return;
    std::map<PartitionKey, const PartitionRow*> rows;
    for (const PartitionRow& row : result_.partitions) rows[row.key] = &row;
    for (PositionRow position : found_.snapshot->positions) {
      const auto row = rows.find(position.key.partition);
      if (row == rows.end()) continue;
      const Offset end = ends_.at(position.key.partition);
      if (position.position > end) position.leader_epoch.reset();  // of a record that is lost
      position.position = std::clamp(position.position, row->second->log_start, end);
      result_.positions.push_back(std::move(position));
    }
  }

  /// Members go on as if their coordinator had been away; but who has learnt of a later generation than the snapshot's
  /// must not take a coming one for it.
  void TakeGroups() {
    if (!found_.snapshot) return;
    std::set<std::string_view> present;
    for (GroupRow group : found_.snapshot->groups) {
      constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
      group.generation =
          group.generation > kMax - kGenerationsAhead ? kGenerationsAhead : group.generation + kGenerationsAhead;
      result_.groups.push_back(std::move(group));
    }
    for (const GroupRow& group : result_.groups) present.insert(group.name);
    for (const GroupMemberRow& member : found_.snapshot->members)
      if (present.contains(member.key.group)) result_.members.push_back(member);
  }

  /// The number of blocks that count as taken. Near the end of them the random bits of ids keep them apart.
  [[nodiscard]] std::int64_t ProducerBlock() const {
    std::int64_t taken = 0;
    if (found_.snapshot)
      for (const StoreRow& row : found_.snapshot->store)
        if (row.name == kProducerBlockName) taken = row.number;
    return taken < kProducerBlocks - kProducerBlocksAhead ? taken + kProducerBlocksAhead : taken;
  }

  const LogSurvey& found_;
  const std::int64_t now_ms_;
  std::map<TopicId, TopicRow> topics_;
  ToldSettings settings_;
  std::set<TopicId> dropped_;
  std::map<PartitionKey, FoundPartition> partitions_;
  std::map<ObjectId, ObjectRow> objects_;
  std::map<ObjectId, std::uint64_t> in_use_;
  std::map<PartitionKey, Offset> ends_;                                       // of what was found
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> settled_;  // of each generation and nonce
  std::int64_t next_topic_ = 0, snapshot_topic_ = 0;
  LinkedLog result_;
};

}  // namespace

LinkedLog LinkLog(const LogSurvey& found, std::int64_t now_ms) { return Linking(found, now_ms).Run(); }

}  // namespace millrace
