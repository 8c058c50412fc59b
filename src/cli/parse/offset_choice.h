// A place in a log as people name it: earliest, latest, an offset, a time.
#pragma once

#include <cstdint>
#include <string_view>

#include "client/log.h"
#include "millrace/engine.h"
#include "millrace/result.h"

namespace millrace {

struct OffsetChoice {
  enum class Kind { kEarliest, kLatest, kOffset, kTime };
  Kind kind = Kind::kEarliest;
  std::int64_t value = 0;  // the offset, or milliseconds since 1970
  friend bool operator==(const OffsetChoice&, const OffsetChoice&) = default;
};

/// "earliest", "latest", "4711", "@2026-01-01T00:00Z", "@1767225600000", "@-5m". kInvalidArgument names `flag`.
Result<OffsetChoice> ParseOffsetChoice(std::string_view flag, std::string_view text);

/// The offset in one partition. latest is its visible end now, a time the first offset at or past it.
Result<Offset> ResolveOffset(Log& log, const TopicPartition& partition, const OffsetChoice& choice);
Result<Offset> ResolveOffset(Engine& engine, const TopicPartition& partition, const OffsetChoice& choice);

/// kOutOfRange with the bounds, unless `position` is within what readers see.
Result<void> CheckWithin(Log& log, const TopicPartition& partition, Offset position);
Result<void> CheckWithin(Engine& engine, const TopicPartition& partition, Offset position);

/// What readers see of a partition: [log_start, visible end). As Log::Bounds.
Result<OffsetBounds> VisibleBounds(Engine& engine, const TopicPartition& partition);

}  // namespace millrace
