#include "cli/status_check.h"

#include <fmt/format.h>

#include "cli/units.h"

namespace millrace {
namespace {

bool InOrder(const PartitionOffsets& offsets) {
  return offsets.log_start <= offsets.tiered_end && offsets.tiered_end <= offsets.durable_end &&
         offsets.durable_end <= offsets.log_end && offsets.hot_start <= offsets.tiered_end;
}

}  // namespace

std::vector<StatusFinding> CheckStatus(std::span<const TopicDescription> topics, const EngineStats& stats,
                                       std::uint64_t wal_bytes_max) {
  std::vector<StatusFinding> findings;
  for (const TopicDescription& topic : topics) {
    for (const PartitionDescription& partition : topic.partitions) {
      if (InOrder(partition.offsets)) continue;
      const PartitionOffsets& at = partition.offsets;
      findings.push_back(
          {true, fmt::format("{}/{}: offsets out of order: log start {}, hot start {}, tiered end {}, durable end {}, "
                             "log end {}",
                             topic.name, partition.partition.value(), at.log_start.value(), at.hot_start.value(),
                             at.tiered_end.value(), at.durable_end.value(), at.log_end.value())});
    }
  }
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
