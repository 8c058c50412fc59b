// One handle on a partition: its hot log, its reader over all tiers, its segment map, and what the uploader knows of
// it. What consumers and tier steps see of the engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "engine/append_ladder.h"
#include "engine/topic_settings.h"
#include "fetch/segment_map.h"
#include "log/partition_log.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/receipt.h"
#include "read/partition_reader.h"
#include "read/partition_source.h"
#include "tier/tiered_partition.h"
#include "tier/upload_schedule.h"

namespace millrace {

class CursorTable;
class ProducerStateTable;
class TailCache;
class WalIndexBudget;

/// What all partitions of an engine share; members outlive them.
struct PartitionContext {
  SyncPolicy sync;
  Wal& wal;
  TailCache& tail_cache;
  WalIndexBudget& index_budget;
  ProducerStateTable& producers;
  Clock& clock;
  MetadataStore& metadata;
  ReadContext& read;
  UploadSchedule& uploads;
  CursorTable& cursors;
  /// Set when an append comes to the ceiling of its partition; none: there are no ceilings, since nobody else can go on
  /// with the log.
  std::atomic<bool>* ceiling_met = nullptr;
};

/// Appends of AppendAsync that are staged and not told about yet, in offset order.
struct AsyncQueue {
  struct Item {
    AppendReceipt receipt;  // what its appender will be told; `reached`: the durability asked for
    WalPosition wal_end;
    std::uint64_t bytes = 0;
    std::move_only_function<void(Result<AppendReceipt>)> done;
  };
  Mutex mutex;
  std::list<Item> items MR_GUARDED_BY(mutex);      // empty it has no memory, as most have
  bool disk_armed MR_GUARDED_BY(mutex) = false;    // the WAL will call
  bool object_armed MR_GUARDED_BY(mutex) = false;  // the upload schedule will call
  /// Each concerns those that were queued when it came, and none that come later while these are being told.
  RungFailures failures MR_GUARDED_BY(mutex);
};

/// Safe from any thread.
class Partition final : public TieredPartition, public PartitionSource {
 public:
  Partition(const TopicSettings& settings, TopicPartition name, const PartitionRow& row, PartitionContext& context);

  /// Which WAL frames are this partition's.
  static WalStream StreamOf(const PartitionKey& key);
  static PartitionKey KeyOf(WalStream stream);  // of any number: whether there is such a partition is another question

  ~Partition() override;

  // The rest of recovery, and being seen by the uploader.
  Result<void> Start();
  /// Between Start and the first append.
  void StartEpochs(const PartitionRow& row, std::span<const EpochRow> epochs);
  /// The newest row that came by.
  [[nodiscard]] PartitionRow row() const;
  /// Waits and later calls answer `error`; the partition itself stays until the engine is destroyed.
  void End(const Error& error);
  /// Calls answer `error` until Resume; nothing is lost by it. Waits that go on are not ended.
  void Suspend(const Error& error);
  void Resume();
  [[nodiscard]] Result<void> CheckAlive() const {
    if (const Error* ended = ended_.load(std::memory_order_acquire)) [[unlikely]]
      return *ended;
    if (broken_) [[unlikely]]
      return *broken_;
    return {};
  }

  PartitionLog& log() override { return log_; }
  PartitionUpload& upload() override { return upload_; }
  PartitionReader& reader() { return reader_; }
  SegmentMap& segments() { return segments_; }
  /// Of its topic.
  [[nodiscard]] const TopicSettings& settings() const { return settings_; }
  AsyncQueue& async() { return async_; }

  [[nodiscard]] TopicOptions options() const override { return settings_.options(); }
  [[nodiscard]] SegmentTotals totals() const override;
  Result<bool> ForgetConsumed(std::optional<Offset> groups_passed,
                              const std::function<Result<bool>(Offset until)>& forget) override;
  /// Of a log that somebody else writes: it begins where `row` says, or did already.
  void FollowStart(const PartitionRow& row);
  /// And it ends there. Its rows are in metadata by now; `added` are those behind the earlier ones, none: others were
  /// replaced.
  void FollowEnd(const PartitionRow& row, const std::optional<std::span<const SegmentRow>>& added);
  void OnSegment(const SegmentRow& segment) override;
  void OnRow(const PartitionRow& row) override;

  [[nodiscard]] const PartitionKey& key() const override { return log_.key(); }
  [[nodiscard]] const TopicPartition& name() const override { return log_.name(); }
  [[nodiscard]] OffsetBounds bounds() const override;
  Result<ReadResult> Read(Offset begin, const ReadLimits& limits) override;
  Result<BatchReadResult> ReadBatches(Offset begin, const ReadLimits& limits) override;
  Result<Offset> OffsetForTime(std::int64_t timestamp_ms) override;
  [[nodiscard]] bool MayWait(Offset begin) const override { return begin < log_.offsets().hot_start; }
  void Abandon(Offset next) override { reader_.Abandon(next); }
  std::uint64_t AddWaiter(Offset offset, std::move_only_function<void()> wake) override;
  void CancelWaiter(std::uint64_t ticket) override;

  /// Counts an append and tells the uploader.
  void OnAppended(std::uint64_t bytes) {
    appends_.fetch_add(1, std::memory_order_relaxed);
    appended_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    context_.uploads.OnAppend(upload_, bytes);
  }
  [[nodiscard]] std::uint64_t appends() const { return appends_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t appended_bytes() const { return appended_bytes_.load(std::memory_order_relaxed); }

 private:
  const TopicSettings& settings_;
  PartitionContext& context_;
  PartitionLog log_;
  SegmentMap segments_;
  PartitionReader reader_;
  PartitionUpload upload_;
  AsyncQueue async_;
  std::atomic<std::uint64_t> appends_{0}, appended_bytes_{0};
  std::atomic<const Error*> ended_{nullptr};
  std::optional<const Error> broken_;  // constant after Start
  mutable Mutex mutex_;
  std::unique_ptr<const Error> ended_owner_ MR_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<const Error>> suspensions_ MR_GUARDED_BY(mutex_);  // old ones too: a caller may read one
  PartitionRow row_ MR_GUARDED_BY(mutex_);                                       // the newest that came by
};

}  // namespace millrace
