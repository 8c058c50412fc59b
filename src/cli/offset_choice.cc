#include "cli/offset_choice.h"

#include <fmt/format.h>

#include <chrono>

#include "base/try.h"
#include "cli/units.h"

namespace millrace {
namespace {

std::int64_t NowMs() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

Result<OffsetChoice> ParseOffsetChoice(std::string_view flag, std::string_view text) {
  if (text == "earliest") return OffsetChoice{OffsetChoice::Kind::kEarliest, 0};
  if (text == "latest") return OffsetChoice{OffsetChoice::Kind::kLatest, 0};
  if (text.starts_with('@')) {
    if (auto time = ParseTime(text.substr(1), NowMs())) return OffsetChoice{OffsetChoice::Kind::kTime, *time};
  } else if (auto offset = ParseInteger(text); offset && *offset >= 0) {
    return OffsetChoice{OffsetChoice::Kind::kOffset, *offset};
  }
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{} takes earliest, latest, an offset or @TIME, not \"{}\"", flag, text),
               "A time is like @2026-01-01T00:00Z, @1767225600000 or @-5m.");
}

Result<Offset> ResolveOffset(Engine& engine, const TopicPartition& partition, const OffsetChoice& choice) {
  switch (choice.kind) {
    case OffsetChoice::Kind::kOffset:
      return Offset(choice.value);
    case OffsetChoice::Kind::kTime:
      return engine.OffsetForTime(partition, choice.value);
    case OffsetChoice::Kind::kEarliest:
    case OffsetChoice::Kind::kLatest:
      break;
  }
  MR_ASSIGN_OR_RETURN(OffsetBounds bounds, VisibleBounds(engine, partition));
  return choice.kind == OffsetChoice::Kind::kEarliest ? bounds.log_start : bounds.end;
}

Result<OffsetBounds> VisibleBounds(Engine& engine, const TopicPartition& partition) {
  MR_ASSIGN_OR_RETURN(PartitionOffsets offsets, engine.Offsets(partition));
  // Everything in the log was acknowledged before this process opened it, or was appended by it: a read waits for the
  // sync, so the end is the log's.
  return OffsetBounds{offsets.log_start, offsets.log_end};
}

}  // namespace millrace
