#include "meta/topic_rules.h"

#include <algorithm>

#include "base/try.h"
#include "meta/metadata_rows.h"
#include "meta/segment_rules.h"

namespace millrace {
namespace {

void InsertPartitions(Transition& to, TopicId topic, std::int32_t begin, std::int32_t end) {
  for (std::int32_t p = begin; p < end; ++p) {
    PartitionRow row;
    row.key = {topic, PartitionId(p)};
    to.Insert(row);
  }
}

Result<void> Remove(Transition& to, const TopicRemains& remains, std::int64_t now_ms) {
  MR_TRY(DropSegments(to, remains.segments, remains.objects, now_ms));
  for (const PositionRow& position : remains.positions) to.Erase(position);
  for (const EpochRow& epoch : remains.epochs) to.Erase(epoch);
  return {};
}

}  // namespace

Result<Transition> SetIdentityRule(const std::optional<StoreRow>& present, std::string_view identity) {
  Transition to;
  StoreRow row{.name = std::string(kIdentityName), .text = std::string(identity)};
  if (!present) {
    to.Insert(std::move(row));
    return to;
  }
  if (present->text == identity) return to;
  if (!present->text.empty())
    return Error(ErrorCode::kAlreadyExists, "metadata: the store belongs to " + present->text);
  row.number = present->number;
  to.Expect(*present);
  to.Put(std::move(row));
  return to;
}

Result<Transition> CreateTopicRule(const std::optional<StoreRow>& last_id, TopicRow& topic) {
  MR_TRY(CheckTopicOptions(topic.options, 0));
  Transition to;
  StoreRow next{.name = std::string(kNextTopicName)};
  if (last_id) {
    to.Expect(*last_id);
    next = *last_id;
  }
  topic.id = TopicId(++next.number);
  if (last_id) {
    to.Put(std::move(next));
  } else {
    to.Insert(std::move(next));
  }
  to.Insert(topic);
  InsertPartitions(to, topic.id, 0, topic.options.partitions);
  return to;
}

Result<Transition> AlterTopicRule(const TopicRow& topic, const TopicOptions& options) {
  MR_TRY(CheckTopicOptions(options, topic.options.partitions));
  Transition to;
  to.Expect(topic);
  InsertPartitions(to, topic.id, topic.options.partitions, options.partitions);
  TopicRow after = topic;
  after.options = options;
  to.Put(std::move(after));
  return to;
}

Transition AcquireEpochRule(PartitionRow& partition) {
  Transition to;
  to.Expect(partition);
  partition.epoch += 1;
  to.Put(partition);
  return to;
}

Result<Transition> TakeProducerBlockRule(const std::optional<StoreRow>& taken, std::string_view by,
                                         std::int64_t& block) {
  Transition to;
  StoreRow row{.name = std::string(kProducerBlockName), .number = 1, .text = std::string(by)};
  if (taken) {
    if (taken->number >= kProducerBlocks) return Error(ErrorCode::kOutOfSpace, "metadata: no producer's id is left");
    row.number = taken->number + 1;
    to.Expect(*taken);
    to.Put(row);
  } else {
    to.Insert(row);
  }
  block = row.number - 1;
  return to;
}

void RaiseEpochRule(Transition& to, EpochGround& ground) {
  PartitionRow& partition = ground.partition;
  std::vector<EpochRow>& epochs = ground.epochs;
  LeaderEpoch highest = std::max(partition.epoch, ground.seen);
  if (!epochs.empty()) highest = std::max(highest, epochs.back().epoch);
  to.Expect(partition);
  while (!epochs.empty() && epochs.back().first >= ground.log_end) {
    to.Erase(epochs.back());
    epochs.pop_back();
  }
  partition.epoch = highest + 1;
  to.Put(partition);
  epochs.push_back({partition.key, partition.epoch, ground.log_end});
  to.Insert(epochs.back());
  std::size_t gone = 0;
  for (; gone + 1 < epochs.size() && epochs[gone + 1].first <= partition.log_start; ++gone) to.Erase(epochs[gone]);
  epochs.erase(epochs.begin(), epochs.begin() + static_cast<std::ptrdiff_t>(gone));
}

Result<Transition> DeleteTopicRule(const TopicRow& topic, std::span<const PartitionRow> partitions,
                                   const TopicRemains& remains, std::int64_t now_ms) {
  Transition to;
  to.Expect(topic);
  to.Erase(topic);
  for (const PartitionRow& partition : partitions) {
    // A commit of segments between the reads and this one would leave some behind that `remains` does not have.
    if (remains.all) to.Expect(partition);
    to.Erase(partition);
  }
  MR_TRY(Remove(to, remains, now_ms));
  if (!remains.all) to.Insert(RemovalRow{topic.id, now_ms});
  return to;
}

Result<Transition> RemoveRemainsRule(const RemovalRow& removal, const TopicRemains& remains) {
  Transition to;
  to.Expect(removal);
  MR_TRY(Remove(to, remains, removal.removed_ms));
  if (remains.all) to.Erase(removal);
  return to;
}

}  // namespace millrace
