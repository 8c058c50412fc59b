// The vocabulary every room shares: offsets, partitions, topics.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "millrace/strong.h"

namespace millrace {

/// A record's place in its partition, counted from 0. `Offset + n` is an Offset; `Offset - Offset` an int64.
using Offset = StrongPoint<struct OffsetTag, std::int64_t>;
/// A partition's number within its topic, from 0.
using PartitionId = StrongPoint<struct PartitionIdTag, std::int32_t>;
/// Which life of a partition wrote something; grows with each takeover and each opening that found no clean close.
using LeaderEpoch = StrongPoint<struct LeaderEpochTag, std::int32_t>;
/// A topic's number in the metadata store: given once, never reused, so a re-created topic is another topic.
using TopicId = Strong<struct TopicIdTag, std::int64_t>;

struct TopicPartition {
  std::string topic;
  PartitionId partition;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

/// The bounds a reader may ask for: [log_start, end].
struct OffsetBounds {
  Offset log_start, end;
  friend bool operator==(const OffsetBounds&, const OffsetBounds&) = default;
};

/// Why records of a range cannot be had. kLostDisk: they were on a disk that is lost when the log was taken over, or
/// there never were any: the range reaches as far as that disk might have given offsets.
enum class LossReason { kDamage, kLostDisk };

/// Damaged or lost data: which offsets are touched and where the bytes lie. `end` is the offset to go on from.
struct DamagedRange {
  TopicPartition partition;
  Offset begin, end;
  std::string place;  // file or object
  std::uint64_t byte_begin = 0, byte_end = 0;
  LossReason reason = LossReason::kDamage;
  friend bool operator==(const DamagedRange&, const DamagedRange&) = default;
};

}  // namespace millrace

template <>
struct std::hash<millrace::TopicPartition> {
  std::size_t operator()(const millrace::TopicPartition& tp) const noexcept {
    return std::hash<std::string>{}(tp.topic) * 31 + std::hash<millrace::PartitionId>{}(tp.partition);
  }
};
