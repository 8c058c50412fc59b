// From what a survey found to the rows of a log that goes on: a pure function.
//
//   snapshot's segments ─► chain of objects not in it ─► gap up to the ceiling ─► here the taker begins
//
// Any whole chain is right: processes that continue each other read one write-ahead log, so two copies of an offset are
// equal. What the chain cannot bridge is a gap, told. Offsets that were given and never uploaded lie below the ceiling,
// in the last gap, so none is given twice. For the same reason the numbers of groups' generations and of blocks of
// producers' ids go far above what the snapshot has of them: it does not know what was given after it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/types.h"
#include "tier/known_producer.h"
#include "tier/log_survey.h"

namespace millrace {

struct LostRange {
  TopicPartition partition;
  Offset begin, end;
  bool reserved = false;  // up to the ceiling: what was given there and not uploaded is lost with its disk
};

struct LinkedLog {
  // Rows to write, in this order.
  std::vector<StoreRow> store;
  std::vector<TopicRow> topics;
  std::vector<PartitionRow> partitions;
  std::vector<SegmentRow> segments;
  std::vector<ObjectRow> objects;
  std::vector<PositionRow> positions;
  std::vector<EpochRow> epochs;
  std::vector<GroupRow> groups;
  std::vector<GroupMemberRow> members;
  /// Those that number their batches, with what of theirs is in this log; least recently heard of first. No rows.
  std::vector<KnownProducer> producers;

  std::vector<LostRange> lost;
  std::uint64_t records = 0, linked = 0, unlinked = 0;  // records; objects not in the snapshot that are used, and not
};

/// What a log may have given since its last snapshot, at most: generations of a group, and blocks of producers' ids,
/// each of 65,536.
inline constexpr std::int32_t kGenerationsAhead = 1 << 20;
inline constexpr std::int64_t kProducerBlocksAhead = 1 << 12;

/// `now_ms`: wall time, for the rows.
LinkedLog LinkLog(const LogSurvey& found, std::int64_t now_ms);

}  // namespace millrace
