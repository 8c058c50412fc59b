// The composition root: opens, wires and closes what stands below it, and forwards the calls of Engine.
//
//   lock ─► stores ─► identity ─► topics ─► WAL recovery into the partitions ─► threads
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_gate.h"
#include "base/mutex.h"
#include "cache/block_cache.h"
#include "cache/segment_cache.h"
#include "consumer/consumer_table.h"
#include "consumer/position_store.h"
#include "cursor/cursor_table.h"
#include "engine/appender.h"
#include "engine/components.h"
#include "engine/data_layout.h"
#include "engine/events.h"
#include "engine/housekeeper.h"
#include "engine/identity.h"
#include "engine/topic_registry.h"
#include "fetch/read_memory.h"
#include "fetch/request_threads.h"
#include "log/tail_cache.h"
#include "log/wal_index_budget.h"
#include "millrace/engine.h"
#include "prefetch/prefetcher.h"
#include "read/block_warmer.h"
#include "store/metered_object_store.h"
#include "store/retrying_object_store.h"
#include "tier/object_collector.h"
#include "tier/retention_policy.h"
#include "tier/segment_uploader.h"
#include "tier/trusted_time.h"
#include "tier/wal_recycler.h"
#include "wal/disk_wal.h"

namespace millrace {

class ThreadPool;

/// kNone: whoever opened calls the steps (`steps()`, `housekeeper()`); no thread is started.
enum class Background { kThreads, kNone };

/// How large the files of the hot tier are. A simulator makes them small, so that little fills many.
struct StorageSizes {
  std::uint64_t wal_file_bytes = 0;  // 0: by the budget
  std::uint64_t wal_staging_bytes = 4 << 20;
  std::uint64_t position_file_bytes_min = 1 << 20;
};

class Engine::Implementation {
 public:
  /// `random` and `sizes` are for tests; a null `random`: the machine's.
  static Result<std::unique_ptr<Implementation>> Open(EngineOptions options, Background background,
                                                      std::shared_ptr<Random> random = {},
                                                      const StorageSizes& sizes = {});
  /// The engine's public face over it.
  static std::unique_ptr<Engine> Wrap(std::unique_ptr<Implementation> implementation);
  ~Implementation();

  // Topics (engine_topics.cc).
  Result<void> CreateTopic(std::string_view name, const TopicOptions& options);
  Result<void> AlterTopic(std::string_view name, const TopicOptions& options);
  Result<void> DeleteTopic(std::string_view name);
  Result<std::vector<TopicDescription>> DescribeTopics();
  Result<PartitionId> PartitionFor(std::string_view topic, std::optional<std::string_view> key);

  // Append and read (engine_data.cc).
  Result<AppendReceipt> Append(const TopicPartition& partition, std::span<const Record> records,
                               const AppendOptions& options);
  Result<AppendReceipt> Append(std::string_view topic, const Record& record, const AppendOptions& options);
  Result<AppendReceipt> AppendBatch(const TopicPartition& partition, std::span<const std::byte> batch,
                                    const AppendOptions& options);
  void AppendAsync(const TopicPartition& partition, std::span<const Record> records, const AppendOptions& options,
                   AsyncAppends::Done done);
  Result<ReadResult> Read(const TopicPartition& partition, Offset begin, const ReadLimits& limits);
  Result<BatchReadResult> ReadBatches(const TopicPartition& partition, Offset begin, const ReadLimits& limits);
  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const ReadLimits& limits);
  Result<Offset> OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms);

  // Consumers and groups (engine_groups.cc).
  Result<std::unique_ptr<Consumer>> OpenConsumer(const ConsumerOptions& options);
  Result<std::vector<std::string>> ListGroups();
  Result<std::vector<GroupPosition>> DescribeGroup(std::string_view group);
  Result<void> SeekGroup(std::string_view group, const TopicPartition& partition, Offset position);
  Result<void> DeleteGroup(std::string_view group);

  // Cursors (engine_cursors.cc).
  Result<std::unique_ptr<Cursor>> OpenCursor(const TopicPartition& partition, std::string_view name,
                                             ReadConsistency consistency);
  Result<std::vector<CursorDescription>> ListCursors(std::string_view topic);
  Result<void> DeleteCursor(const TopicPartition& partition, std::string_view name);

  // Tiers (engine_tiers.cc).
  Result<void> Upload();
  Result<void> Recycle();
  Result<std::vector<SegmentDescription>> DescribeSegments(const TopicPartition& partition);
  Result<SharedBytes> ReadSegment(const SegmentDescription& segment, ByteRange range);
  Result<Offset> DeleteRecords(const TopicPartition& partition, Offset before);
  Result<PartitionOffsets> Offsets(const TopicPartition& partition);
  [[nodiscard]] EngineStats Stats() const;
  Result<MaintenanceReport> Maintain(std::optional<std::chrono::milliseconds> time_max);
  Result<void> TrustClock();
  Result<void> Close();

  /// kPermissionDenied from a log that was opened for reading.
  [[nodiscard]] Result<void> CheckWritable() const;
  /// What public calls of the engine and its handles pass.
  [[nodiscard]] CallGate& calls() { return *calls_; }
  [[nodiscard]] HousekeeperSteps steps();
  [[nodiscard]] Housekeeper& housekeeper() { return housekeeper_; }
  [[nodiscard]] Prefetcher& prefetcher() { return prefetcher_; }

 private:
  class Replay;
  Implementation(EngineOptions options, DataLayout layout, Components components, std::unique_ptr<FileLock> lock,
                 std::string identity, Background background, const StorageSizes& sizes);
  Result<void> Recover();
  Result<Topic*> AddTopic(const TopicRow& row);
  [[nodiscard]] Result<void> CheckOpen() const;
  // Of Close.
  void EndCalls(const Error& error);
  Result<void> CloseLogs();
  std::shared_ptr<ObjectStore> Retrying();
  void PauseRetry(std::chrono::nanoseconds pause);
  OnCorrected TellCorrected();
  void TellCache(const BackgroundFailure& failure);
  void TellRecovered();
  [[nodiscard]] std::optional<std::vector<std::byte>> CloseNote() const;
  Result<Topic*> FindTopic(std::string_view name);
  Result<Partition*> FindPartition(const TopicPartition& name);
  [[nodiscard]] std::optional<std::vector<PartitionSource*>> SourcesOf(std::string_view topic) const;
  /// For appends: creates the topic under auto_create_topics.
  Result<Topic*> FindOrCreateTopic(std::string_view name);
  Result<Partition*> FindForAppend(const TopicPartition& name);
  Error NotFound(const TopicPartition& name) const;
  Result<ThreadPool*> ReadPool();
  /// Reads the time that an earlier process kept.
  Result<void> StartTime();
  /// Writes trusted time to the disk if it has moved by more than `moved_min` since it was written.
  Result<void> KeepTime(std::chrono::milliseconds moved_min);
  void TellUpload(const UploadLane& lane, const Error* error);
  /// After a change of topics whose outcome nobody knew: memory follows metadata. No I/O where there was none.
  Result<void> ReconcileTopics();
  Result<void> ReconcileTopicsLocked() MR_REQUIRES(topics_mutex_);
  Result<Topic*> LoadTopic(const TopicRow& row) MR_REQUIRES(topics_mutex_);
  Result<void> ApplyTopicRow(Topic& topic, const TopicOptions& options) MR_REQUIRES(topics_mutex_);
  void DropTopic(Topic& topic) MR_REQUIRES(topics_mutex_);
  void EndDropped();
  Result<void> ChangeTopics(const std::function<Result<void>()>& change);
  Result<void> CreateTopicLocked(std::string_view name, const TopicOptions& options) MR_REQUIRES(topics_mutex_);
  Result<void> AlterTopicLocked(std::string_view name, const TopicOptions& options) MR_REQUIRES(topics_mutex_);
  Result<void> DeleteTopicLocked(std::string_view name) MR_REQUIRES(topics_mutex_);
  /// `error` came of a change of topics: success if memory and metadata are known to agree by now.
  Result<void> KnowTopics(const Error& error) MR_REQUIRES(topics_mutex_);
  /// What was just forgotten goes now where nothing speaks for waiting.
  void CollectIfNear();

  // Constant after Open.
  const EngineOptions options_;
  const DataLayout layout_;
  const Components components_;
  const std::string identity_;
  const Background background_;

  // Own synchronization; from below upwards.
  const std::shared_ptr<CallGate> calls_ = std::make_shared<CallGate>();  // shared with consumers and cursors
  std::stop_source stop_;                                                 // ends what waits for the object store
  WalIndexBudget index_budget_;                                           // calls that the WAL still holds hold logs
  DiskWal wal_;
  const std::shared_ptr<MeteredObjectStore> metered_;
  const std::shared_ptr<ObjectStore> objects_;
  Events events_;
  TrustedTime time_;
  TailCache tail_cache_;
  BlockCache blocks_;
  const std::unique_ptr<SegmentCache> segment_cache_;  // none before objects that are as near as a cache
  ReadMemory read_memory_;
  ReadCounters read_counters_;
  ReadContext read_context_;
  Prefetcher prefetcher_;
  BlockWarmer warmer_;
  RequestThreads request_threads_;
  SegmentUploader uploader_;
  CursorTable cursors_;
  PartitionContext partition_context_;
  TopicRegistry registry_;
  RetentionPolicy retention_;
  ObjectCollector collector_;
  WalRecycler recycler_;
  MetadataPositionStore positions_;
  ConsumerTable consumers_;
  Appender appender_;
  Housekeeper housekeeper_;
  std::atomic<bool> closed_{false};

  Mutex topics_mutex_;                                        // one change of topics at a time, I/O included
  bool topics_unsure_ MR_GUARDED_BY(topics_mutex_) = false;   // metadata may know topics otherwise than memory does
  std::vector<Topic*> dropped_ MR_GUARDED_BY(topics_mutex_);  // gone from metadata, and to be ended
  Mutex kept_mutex_;
  std::int64_t kept_ms_ MR_GUARDED_BY(kept_mutex_) = 0;  // trusted time on the disk
  Mutex mutex_;
  std::unique_ptr<FileLock> lock_ MR_GUARDED_BY(mutex_);
  CondVar closing_changed_;
  bool closing_ MR_GUARDED_BY(mutex_) = false, done_closing_ MR_GUARDED_BY(mutex_) = false;
  std::unique_ptr<ThreadPool> read_pool_ MR_GUARDED_BY(mutex_);  // made when first needed
};

}  // namespace millrace
