// What an engine is made of. The composition root: opens, wires and closes what stands below it, and has the steps that
// the calls of Engine share. Each of those is defined once, over the state, in engine_{topics,data,groups,…}.cc.
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

/// kNone: no thread is started, and the steps are called from outside; see SteppedEngine.
enum class Background { kThreads, kNone };

/// How large the files of the hot tier are. A simulator makes them small, so that little fills many.
struct StorageSizes {
  std::uint64_t wal_file_bytes = 0;  // 0: by the budget
  std::uint64_t wal_staging_bytes = 4 << 20;
  std::uint64_t position_file_bytes_min = 1 << 20;
};

inline Error ClosedError() { return {ErrorCode::kClosed, "the engine is closed"}; }

class Engine::State {
 public:
  /// `random` and `sizes` are for tests; a null `random`: the machine's.
  static Result<std::unique_ptr<State>> Open(EngineOptions options, Background background,
                                             std::shared_ptr<Random> random = {}, const StorageSizes& sizes = {});
  /// The engine whose state it is.
  static std::unique_ptr<Engine> Wrap(std::unique_ptr<State> state);
  static State& Of(Engine& engine) { return *engine.state_; }
  ~State();

  /// kPermissionDenied from a log that was opened for reading.
  [[nodiscard]] Result<void> CheckWritable() const;
  /// What public calls of the engine and its handles pass.
  [[nodiscard]] CallGate& calls() { return *calls_; }
  [[nodiscard]] HousekeeperSteps steps();
  [[nodiscard]] Housekeeper& housekeeper() { return housekeeper_; }
  [[nodiscard]] Prefetcher& prefetcher() { return prefetcher_; }

 private:
  friend class Engine;           // its calls are made of what follows
  friend class PartitionAccess;  // and so are those of a server
  class Replay;
  State(EngineOptions options, DataLayout layout, Components components, std::unique_ptr<FileLock> lock,
        std::string identity, Background background, const StorageSizes& sizes);

  // Opening (engine_state.cc).
  Result<void> Recover();
  Result<Topic*> AddTopic(const TopicRow& row);
  /// Reads the time that an earlier process kept.
  Result<void> StartTime();
  std::shared_ptr<ObjectStore> Retrying();
  void PauseRetry(std::chrono::nanoseconds pause);

  // Open: what goes on and is told (engine_state.cc).
  [[nodiscard]] Result<void> CheckOpen() const;
  /// Writes trusted time to the disk if it has moved by more than `moved_min` since it was written.
  Result<void> KeepTime(std::chrono::milliseconds moved_min);
  OnCorrected TellCorrected();
  void TellCache(const BackgroundFailure& failure);
  void TellRecovered();
  void TellUpload(const PartitionUpload& upload, const Error* error);

  // Closing (engine_state.cc).
  Result<void> Close();
  void EndCalls(const Error& error);
  Result<void> CloseLogs();
  [[nodiscard]] std::optional<std::vector<std::byte>> CloseNote() const;

  // Topics and partitions, found (engine_topics.cc).
  Result<Topic*> FindTopic(std::string_view name);
  Result<Partition*> FindPartition(const TopicPartition& name);
  /// For appends: creates the topic under auto_create_topics.
  Result<Topic*> FindOrCreateTopic(std::string_view name);
  Result<Partition*> FindForAppend(const TopicPartition& name);
  Error NotFound(const TopicPartition& name) const;

  // Topics, changed (engine_topics.cc).
  /// Checks, then creates: for a caller, or under auto_create_topics.
  Result<void> MakeTopic(std::string_view name, const TopicOptions& options);
  Result<void> ChangeTopics(const std::function<Result<void>()>& change);
  Result<void> CreateTopicLocked(std::string_view name, const TopicOptions& options) MR_REQUIRES(topics_mutex_);
  Result<void> AlterTopicLocked(std::string_view name, const TopicOptions& options) MR_REQUIRES(topics_mutex_);
  Result<void> DeleteTopicLocked(std::string_view name) MR_REQUIRES(topics_mutex_);
  /// After a change of topics whose outcome is not known: memory follows metadata. No I/O where there was none.
  Result<void> ReconcileTopics();
  Result<void> ReconcileTopicsLocked() MR_REQUIRES(topics_mutex_);
  /// `error` came of a change of topics: success if memory and metadata are known to agree by now.
  Result<void> KnowTopics(const Error& error) MR_REQUIRES(topics_mutex_);
  Result<Topic*> LoadTopic(const TopicRow& row) MR_REQUIRES(topics_mutex_);
  Result<void> ApplyTopicRow(Topic& topic, const TopicOptions& options) MR_REQUIRES(topics_mutex_);
  void DropTopic(Topic& topic) MR_REQUIRES(topics_mutex_);
  void EndDropped();

  // Of reading, consumers and tiers (engine_data.cc, engine_groups.cc, engine_tiers.cc).
  Result<ThreadPool*> ReadPool();
  [[nodiscard]] std::optional<std::vector<PartitionSource*>> SourcesOf(std::string_view topic) const;
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
