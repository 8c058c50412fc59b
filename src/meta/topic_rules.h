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
inline constexpr std::string_view kIdentityName = "identity", kNextTopicName = "next_topic",
                                  kProducerBlockName = "producer_block";

/// Blocks of producers' ids: 24 bits of each id.
inline constexpr std::int64_t kProducerBlocks = 1 << 24;

/// `present`: the row of kIdentityName. kAlreadyExists: another identity is set.
Result<Transition> SetIdentityRule(const std::optional<StoreRow>& present, std::string_view identity);

/// `last_id`: the row of kNextTopicName. Every new topic changes it, so two of one name cannot both be made on the same
/// rows. `topic` but for its id, which is set. kInvalidArgument: bad options.
Result<Transition> CreateTopicRule(const std::optional<StoreRow>& last_id, TopicRow& topic);
/// kInvalidArgument: bad options, or fewer partitions.
Result<Transition> AlterTopicRule(const TopicRow& topic, const TopicOptions& options);
/// Raises the epoch by one in `partition`.
Transition AcquireEpochRule(PartitionRow& partition);

/// The next block of producers' ids: `taken` is the row of kProducerBlockName. `by` names who takes it, so that nobody
/// takes another's commit for its own. kOutOfSpace: there is none left.
Result<Transition> TakeProducerBlockRule(const std::optional<StoreRow>& taken, std::string_view by,
                                         std::int64_t& block);

/// What a raise of a partition's epoch rests on, once it is known where its log ends.
struct EpochGround {
  PartitionRow partition;
  std::vector<EpochRow> epochs;  // its rows, in their order
  Offset log_end;                // where the new epoch begins
  LeaderEpoch seen;              // the highest in batches that were found: metadata may be older than the log
};
/// `ground` goes into an epoch above all that it ever had. Rows of epochs of which no record is left go: those that
/// begin at the end of the log or past it, and those that end at log_start or before. Cost: two rows.
void RaiseEpochRule(Transition& to, EpochGround& ground);

/// What a step of a topic's removal found of it.
struct TopicRemains {
  std::vector<SegmentRow> segments;
  std::vector<ObjectRow> objects;  // in which they lie
  std::vector<PositionRow> positions;
  std::vector<EpochRow> epochs;
  bool all = false;  // nothing else is left of it
};
/// The topic and all its partition rows go, so that no later commit finds them, and with them `remains`; if that is not
/// all, a removal is noted. kCorruption: a segment whose object is missing.
Result<Transition> DeleteTopicRule(const TopicRow& topic, std::span<const PartitionRow> partitions,
                                   const TopicRemains& remains, std::int64_t now_ms);
/// A further step. The removal's row goes with the last one.
Result<Transition> RemoveRemainsRule(const RemovalRow& removal, const TopicRemains& remains);

}  // namespace millrace
