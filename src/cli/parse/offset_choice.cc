#include "cli/parse/offset_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/try.h"
#include "client/local_log.h"
#include "text/units.h"

namespace millrace {
namespace {

std::int64_t NowMs() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// A number that is more likely seconds (1973 to 5138) or microseconds than the milliseconds it would be taken for.
std::optional<Error> Doubt(std::string_view flag, std::string_view text) {
  const auto number = ParseInteger(text);
  if (!number) return std::nullopt;
  const bool seconds = *number >= 100'000'000 && *number < 100'000'000'000;
  if (!seconds && *number < 100'000'000'000'000) return std::nullopt;
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{}: @{} is the year {} in milliseconds: {} are meant?", flag, text,
                           FormatTime(std::min<std::int64_t>(*number, 250'000'000'000'000)).substr(0, 4),
                           seconds ? "seconds" : "microseconds or nanoseconds"),
               fmt::format("A number is milliseconds since 1970, as in @{}; or write the time as @2026-01-01T00:00Z.",
                           seconds ? fmt::format("{}000", text) : text.substr(0, 13)));
}

}  // namespace

Result<OffsetChoice> ParseOffsetChoice(std::string_view flag, std::string_view text) {
  if (text == "earliest") return OffsetChoice{OffsetChoice::Kind::kEarliest, 0};
  if (text == "latest") return OffsetChoice{OffsetChoice::Kind::kLatest, 0};
  if (text.starts_with('@')) {
    if (const auto doubt = Doubt(flag, text.substr(1))) return *doubt;
    if (auto time = ParseTime(text.substr(1), NowMs())) return OffsetChoice{OffsetChoice::Kind::kTime, *time};
  } else if (auto offset = ParseInteger(text); offset && *offset >= 0) {
    return OffsetChoice{OffsetChoice::Kind::kOffset, *offset};
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} takes earliest, latest, an offset or @TIME, not \"{}\"", flag, text),
               "A time is like @2026-01-01T00:00Z, @2026-01-01T10, @1767225600000, @now, @-5m or @-1w.");
}

Result<Offset> ResolveOffset(Log& log, const TopicPartition& partition, const OffsetChoice& choice) {
  switch (choice.kind) {
    case OffsetChoice::Kind::kOffset:
      return Offset(choice.value);
    case OffsetChoice::Kind::kTime:
      return log.OffsetForTime(partition, choice.value);
    case OffsetChoice::Kind::kEarliest:
    case OffsetChoice::Kind::kLatest:
      break;
  }
  MR_ASSIGN_OR_RETURN(OffsetBounds bounds, log.Bounds(partition));
  return choice.kind == OffsetChoice::Kind::kEarliest ? bounds.log_start : bounds.end;
}

Result<Offset> ResolveOffset(Engine& engine, const TopicPartition& partition, const OffsetChoice& choice) {
  LocalLog log(engine);
  return ResolveOffset(log, partition, choice);
}

Result<void> CheckWithin(Engine& engine, const TopicPartition& partition, Offset position) {
  LocalLog log(engine);
  return CheckWithin(log, partition, position);
}

Result<void> CheckWithin(Log& log, const TopicPartition& partition, Offset position) {
  MR_ASSIGN_OR_RETURN(const OffsetBounds bounds, log.Bounds(partition));
  if (position >= bounds.log_start && position <= bounds.end) return {};
  return Error(ErrorCode::kOutOfRange,
               fmt::format("{}/{} has offsets [{}, {}), not {}", partition.topic, partition.partition.value(),
                           bounds.log_start.value(), bounds.end.value(), position.value()))
      .WithBounds(bounds);
}

Result<OffsetBounds> VisibleBounds(Engine& engine, const TopicPartition& partition) {
  return LocalLog(engine).Bounds(partition);
}

}  // namespace millrace
