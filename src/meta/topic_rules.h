// The rules of topics and partitions, of who owns one, and of the store's identity: pure functions from rows to what is
// to be written.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "meta/transition.h"
#include "millrace/metadata_store.h"

namespace millrace {

/// Names of rows of `store`.
inline constexpr std::string_view kIdentityName = "identity", kNextTopicName = "next_topic";

/// `present`: the row of kIdentityName. kAlreadyExists: another identity is set.
Result<Transition> SetIdentityRule(const std::optional<StoreRow>& present, std::string_view identity);

/// `last_id`: the row of kNextTopicName. Every new topic changes it, so two of one name cannot both be made on the same
/// rows. `topic` but for its id, which is set. kInvalidArgument: bad options.
Result<Transition> CreateTopicRule(const std::optional<StoreRow>& last_id, TopicRow& topic);
/// kInvalidArgument: bad options, or fewer partitions.
Result<Transition> AlterTopicRule(const TopicRow& topic, const TopicOptions& options);
/// Raises the epoch by one in `partition`.
Transition AcquireEpochRule(PartitionRow& partition);

/// What a step of a topic's removal found of it.
struct TopicRemains {
  std::vector<SegmentRow> segments;
  std::vector<ObjectRow> objects;  // in which they lie
  std::vector<PositionRow> positions;
  bool all = false;  // nothing else is left of it
};
/// The topic and all its partition rows go, so that no later commit finds them, and with them `remains`; if that is not
/// all, a removal is noted. kCorruption: a segment whose object is missing.
Result<Transition> DeleteTopicRule(const TopicRow& topic, std::span<const PartitionRow> partitions,
                                   const TopicRemains& remains, std::int64_t now_ms);
/// A further step. The removal's row goes with the last one.
Result<Transition> RemoveRemainsRule(const RemovalRow& removal, const TopicRemains& remains);

}  // namespace millrace
