// What there is: topics, partitions, segments, cursors, positions of groups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "millrace/events.h"
#include "millrace/offsets.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace {

struct PartitionDescription {
  PartitionId partition;
  PartitionOffsets offsets;
  std::uint64_t bytes_local = 0, bytes_object = 0, segments = 0;
  std::uint64_t upload_pending_bytes = 0;
  std::optional<BackgroundFailure> upload_failure;  // while uploads of it fail
  std::vector<DamagedRange> damage;                 // found when it was recovered: reads of it answer kCorruption
  std::optional<Error> broken;                      // it could not be recovered: every call answers this
};

struct TopicDescription {
  std::string name, id;
  TopicOptions options;
  std::vector<PartitionDescription> partitions;
};

/// One visible segment: [base, end) of a partition lies in bytes [byte_begin, byte_begin + byte_size) of an object. A
/// gap has no object and no bytes: its records are lost for good, and reads of it answer kCorruption, or step over it
/// if they were lost with a disk.
struct SegmentDescription {
  TopicPartition partition;
  Offset base, end;
  std::string object;  // its key in the object store
  std::uint64_t byte_begin = 0, byte_size = 0;
  std::uint64_t records = 0;
  std::int64_t timestamp_min_ms = 0, timestamp_max_ms = 0;
  LossReason gap_reason = LossReason::kDamage;
  [[nodiscard]] bool is_gap() const { return object.empty(); }
};

struct CursorDescription {
  TopicPartition partition;
  std::string name;
  Offset position;
  std::uint64_t unread = 0;
};

struct GroupPosition {
  TopicPartition partition;
  Offset position;
  std::uint64_t lag = 0;
};

/// A member of a group of Kafka's.
struct GroupMemberDescription {
  std::string member;    // the id that the group gave it
  std::string instance;  // of a static member; else empty
  std::string client_id, client_host;
  std::string assignment;  // its part, as the assignor of its protocol encodes it
};

/// A group of Kafka's in its last durable generation. Consumers of this library are not told of.
struct GroupMembership {
  std::string state;  // as Kafka names it; in a log that nobody serves Stable, or Empty without members
  std::string protocol_type, protocol;
  std::vector<GroupMemberDescription> members;
};

}  // namespace millrace
