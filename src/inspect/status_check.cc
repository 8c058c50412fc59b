#include "inspect/status_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/deadline.h"
#include "base/try.h"
#include "env/posix_file_system.h"
#include "env/system_clock.h"
#include "env/system_random.h"
#include "millrace/request_scope.h"
#include "store/open_object_store.h"
#include "text/units.h"

namespace millrace {
namespace {

bool InOrder(const PartitionOffsets& offsets) {
  return offsets.log_start <= offsets.tiered_end && offsets.tiered_end <= offsets.durable_end &&
         offsets.durable_end <= offsets.log_end && offsets.hot_start <= offsets.tiered_end;
}

StatusFinding Damage(std::string text) { return {.damage = true, .text = std::move(text)}; }

StatusFinding Unreachable(std::string text) { return {.text = std::move(text), .unreachable = true}; }

void CheckPartition(const TopicDescription& topic, const PartitionDescription& partition,
                    std::vector<StatusFinding>& findings) {
  const std::string name = fmt::format("{}/{}", topic.name, partition.partition.value());
  if (partition.broken) findings.push_back(Damage(fmt::format("{} is broken: {}", name, partition.broken->message())));
  for (const DamagedRange& range : partition.damage) {
    findings.push_back(
        Damage(fmt::format("{}: offsets [{}, {}) are damaged: bytes [{}, {}) of {}", name, range.begin.value(),
                           range.end.value(), range.byte_begin, range.byte_end, range.place)));
  }
}

void CheckFailures(const EngineStats& stats, std::vector<StatusFinding>& findings) {
  if (stats.upload_failure)
    findings.push_back(Unreachable(fmt::format("uploads fail: {}; {} wait", FailureInWords(*stats.upload_failure),
                                               FormatBytes(stats.upload_pending_bytes))));
  if (stats.upkeep_failure)
    findings.push_back(
        Unreachable(fmt::format("retention and removal of objects fail: {}", FailureInWords(*stats.upkeep_failure))));
  if (stats.cache_failure)
    findings.push_back(Unreachable(fmt::format("the disk cache is left alone, and reads go to the object store: {}",
                                               FailureInWords(*stats.cache_failure))));
  if (stats.follow && stats.follow->failure)
    findings.push_back(Unreachable(
        fmt::format("what is new in the object store is not seen: {}", FailureInWords(*stats.follow->failure))));
  if (stats.fenced)
    findings.push_back(Unreachable(fmt::format("nothing is written here any more: {}", stats.fenced->message())));
  if (stats.undeletable > 0)
    findings.push_back(
        Unreachable(fmt::format("{} objects cannot be deleted: their deletion is refused and tried again, since {}: {}",
                                stats.undeletable, FormatTime(stats.undeletable_since_ms), stats.undeletable_why)));
  if (stats.clock_doubted)
    findings.push_back({false, "the clock of this machine jumped: retention by age waits until it is right again"});
}

/// The segment of this topic that holds its newest history; none: there is no history.
Result<std::optional<SegmentDescription>> NewestSegment(Engine& engine, const TopicDescription& topic) {
  for (const PartitionDescription& partition : topic.partitions) {
    if (partition.segments == 0 || partition.broken) continue;
    MR_ASSIGN_OR_RETURN(auto segments, engine.DescribeSegments({topic.name, partition.partition}));
    for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
      if (segment->byte_size > 0 && !segment->object.empty()) return std::optional(*segment);
    }
  }
  return std::optional<SegmentDescription>();
}

StatusFinding Refused(const std::string& what, const Error& error) {
  const std::string text = fmt::format("{}: {}", what, error.message());
  switch (error.code()) {
    case ErrorCode::kCorruption:
    case ErrorCode::kNotFound:
    case ErrorCode::kOutOfRange:
      return Damage(text);
    default:
      return Unreachable(text);
  }
}

/// A store that holds nothing yet: can it be asked at all?
Result<void> AskStore(const EngineOptions& options) {
  PosixFileSystem file_system;
  const SystemClock clock;
  SystemRandom random;
  MR_ASSIGN_OR_RETURN(const auto store,
                      OpenObjectStore(options.object_store, options.data_dir, file_system, clock, random));
  MR_TRY(store->List("", "", 1));
  return {};
}

}  // namespace

std::string FailureInWords(const BackgroundFailure& failure) {
  return fmt::format("{} ({} times since {})", failure.error.message(), failure.times, FormatTime(failure.since_ms));
}

std::string DamageInWords(const DamagedRange& range) {
  const std::string offsets = fmt::format("offsets [{}, {})", range.begin.value(), range.end.value());
  if (range.reason == LossReason::kLostDisk) return offsets + ": lost with a disk, or never given";
  if (range.byte_end == range.byte_begin) return offsets + ": lost before they could be uploaded";
  return offsets + fmt::format(": bytes [{}, {}) of {} are damaged", range.byte_begin, range.byte_end, range.place);
}

std::vector<StatusFinding> ProbeHistory(Engine& engine, std::span<const TopicDescription> topics,
                                        const EngineOptions& options) {
  constexpr std::chrono::seconds kWait{10};
  constexpr std::uint64_t kProbeBytes = 64;
  const SystemClock clock;
  const RequestScope scope({.deadline = DeadlineAfter(clock.Monotonic(), kWait), .stop = {}});
  std::vector<StatusFinding> findings;
  bool asked = false;
  for (const TopicDescription& topic : topics) {
    auto segment = NewestSegment(engine, topic);
    if (!segment) {
      findings.push_back(Refused(topic.name, segment.error()));
      continue;
    }
    if (!*segment) continue;
    asked = true;
    auto read = engine.ReadSegment(**segment, {0, std::min<std::uint64_t>(kProbeBytes, (*segment)->byte_size)});
    if (read) continue;
    findings.push_back(Refused(fmt::format("history of {} cannot be read", topic.name), read.error()));
    // One answer that never comes is enough.
    if (!findings.back().damage) break;
  }
  if (!asked && !options.object_store.starts_with("memory:") && options.object_store != "file:") {
    if (auto answered = AskStore(options); !answered)
      findings.push_back(Unreachable(fmt::format("the object store does not answer: {}", answered.error().message())));
  }
  return findings;
}

std::vector<StatusFinding> CheckStatus(std::span<const TopicDescription> topics, const EngineStats& stats,
                                       std::uint64_t wal_bytes_max) {
  std::vector<StatusFinding> findings;
  for (const TopicDescription& topic : topics) {
    for (const PartitionDescription& partition : topic.partitions) {
      CheckPartition(topic, partition, findings);
      if (partition.broken || InOrder(partition.offsets)) continue;
      const PartitionOffsets& at = partition.offsets;
      findings.push_back(
          {true, fmt::format("{}/{}: offsets out of order: log start {}, hot start {}, tiered end {}, durable end {}, "
                             "log end {}",
                             topic.name, partition.partition.value(), at.log_start.value(), at.hot_start.value(),
                             at.tiered_end.value(), at.durable_end.value(), at.log_end.value())});
    }
  }
  CheckFailures(stats, findings);
  if (stats.corruptions > 0) {
    findings.push_back(
        {true, fmt::format("{} damaged places were met since this log was opened: `millrace wal verify` and "
                           "`millrace segment verify` name them",
                           stats.corruptions)});
  }
  if (stats.upload_pending_bytes > wal_bytes_max / 2) {
    findings.push_back(
        {false, fmt::format("{} wait for upload, more than half of the {} that fit here: `millrace segment "
                            "upload` sends them",
                            FormatBytes(stats.upload_pending_bytes), FormatBytes(wal_bytes_max))});
  }
  return findings;
}

}  // namespace millrace
