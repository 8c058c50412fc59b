// What a partition must hold, told in the simplest way: one fingerprint per offset. Knows no batches of bytes, tiers or
// files.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "millrace/record.h"
#include "millrace/types.h"

namespace millrace::sim {

/// Everything a caller can see of a record but its offset.
std::uint64_t FingerprintOf(const Record& record);
std::uint64_t FingerprintOf(const RecordView& record);

struct PartitionModel {
  std::vector<std::uint64_t> records;  // by offset
  std::set<Offset> batch_ends{Offset(0)};
  Offset acknowledged_os, acknowledged_disk;      // ends: survive the process; survive power loss
  Offset seen_end;                                // a reader read below it
  Offset log_start_wanted;                        // DeleteRecords was asked to go so far
  std::uint64_t incarnation = 0;                  // of a topic name, which may be deleted and made again
  std::vector<std::vector<std::uint64_t>> maybe;  // batches whose append failed: each may appear, at most once
  bool forgets = false;                           // retention may move log_start

  [[nodiscard]] Offset end() const { return Offset(static_cast<std::int64_t>(records.size())); }
  void Add(std::span<const std::uint64_t> batch);
  /// Everything from `end` on is gone.
  void Cut(Offset end);
};

}  // namespace millrace::sim
