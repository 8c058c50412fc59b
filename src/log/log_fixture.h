// What tests of a PartitionLog start from: a fake WAL, a tail cache, a simulated clock, and batches whose values say
// which they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/sim/sim_clock.h"
#include "log/fake_wal.h"
#include "log/partition_log.h"
#include "log/tail_cache.h"
#include "log/wal_index_budget.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"

namespace millrace {

/// `count` records whose values are `bytes` long, stamped `timestamp_ms`.
inline Buffer TestBatch(int count = 1, std::size_t bytes = 100, std::int64_t timestamp_ms = 1000) {
  std::vector<Record> records;
  for (int i = 0; i < count; ++i)
    records.push_back({.timestamp_ms = timestamp_ms, .value = std::string(bytes, static_cast<char>('a' + i % 26))});
  return *BuildRecordBatch(records, {.record_bytes_max = 64 << 20, .batch_bytes_max = 256 << 20});
}

struct LogFixture {
  explicit LogFixture(SyncPolicy sync = SyncPolicy::Each(), FakeWal::Syncing syncing = FakeWal::Syncing::kAsked,
                      std::uint64_t tail_bytes_max = 64 << 20, std::uint64_t index_bytes_max = 32 << 20)
      : wal(syncing), tail_cache(tail_bytes_max), index_budget(index_bytes_max), sync(sync) {
    log = Open(WalStream(7), {});
    (void)log->FinishRecovery();
  }

  std::unique_ptr<PartitionLog> Open(WalStream stream, PartitionRow row) {
    const PartitionLog::Options options{.key = {TopicId(1), PartitionId(0)},
                                        .name = {"orders", PartitionId(0)},
                                        .stream = stream,
                                        .sync = sync,
                                        .index_budget = &index_budget};
    return std::make_unique<PartitionLog>(options, row, wal, tail_cache, clock);
  }
  /// The partition again, from what the WAL holds up to `wal_end`, as after a crash; damaged frames are reported.
  std::unique_ptr<PartitionLog> Reopen(PartitionRow row, WalPosition wal_end) {
    auto reopened = Open(WalStream(7), row);
    for (const FakeWal::Stored& frame : wal.Frames(wal_end)) {
      const auto begin = static_cast<std::uint64_t>(frame.extent.begin.value());
      if (frame.damaged)
        reopened->RecoverDamage({.extent = frame.extent,
                                 .file = "wal/1",
                                 .byte_begin = begin,
                                 .byte_end = begin + 10,
                                 .reason = "flipped",
                                 .stream = {}});
      else if (frame.stream == WalStream(7))
        (void)reopened->RecoverFrame(frame.extent, frame.payload.bytes());
    }
    return reopened;
  }
  AppendedBatch Append(int count = 1, std::size_t bytes = 100, std::int64_t timestamp_ms = 1000) {
    Buffer batch = TestBatch(count, bytes, timestamp_ms);
    return log->TryAppend(batch).value();
  }

  FakeWal wal;
  TailCache tail_cache;
  WalIndexBudget index_budget;
  SimClock clock;
  const SyncPolicy sync;
  std::unique_ptr<PartitionLog> log;
};

/// [base, end) of each batch, which are checked to follow each other.
inline std::vector<std::pair<std::int64_t, std::int64_t>> OffsetsOf(const std::vector<SharedBytes>& batches) {
  std::vector<std::pair<std::int64_t, std::int64_t>> offsets;
  for (const SharedBytes& batch : batches) {
    const RecordBatchView view = RecordBatchView::Parse(batch.bytes()).value();
    offsets.emplace_back(view.base_offset().value(), view.end_offset().value());
  }
  return offsets;
}

}  // namespace millrace
