// What an engine is made of. The composition root: opens, wires and closes what stands below it, and has the steps that
// the calls of Engine share. Each of those is defined once, over the state, in engine_{topics,data,groups,…}.cc.
//
//   lock ─► stores ─► identity ─► topics ─► WAL recovery into the partitions ─► threads
#pragma once

#include <cstdint>
#include <functional>
#include <map>
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
#include "engine/log_follower.h"
#include "engine/producer_ids.h"
#include "engine/topic_registry.h"
#include "fetch/read_memory.h"
#include "fetch/request_threads.h"
#include "log/partition_snapshot.h"
#include "log/producer_state_table.h"
#include "log/tail_cache.h"
#include "log/wal_index_budget.h"
#include "meta/topic_rules.h"
#include "millrace/engine.h"
#include "prefetch/prefetcher.h"
#include "read/block_warmer.h"
#include "store/metered_object_store.h"
#include "store/retrying_object_store.h"
#include "tier/arrived_objects.h"
#include "tier/known_producer.h"
#include "tier/log_snapshots.h"
#include "tier/object_collector.h"
#include "tier/retention_policy.h"
#include "tier/segment_uploader.h"
#include "tier/store_claim.h"
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

/// In the note of a clean close, beside the runs of partitions: which checkpoint of producers belongs to it, as an
/// empty run whose WAL end and bytes are the checkpoint's end and checksum. No partition has this stream.
inline constexpr WalStream kProducersInNote(UINT64_MAX);

/// How long an object is kept after it was given up.
std::chrono::milliseconds DeleteGrace(const EngineOptions& options, const Components& components);

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
  /// Null: the log has a directory.
  [[nodiscard]] LogFollower* follower() { return follower_.get(); }

 private:
  friend class Engine;       // its calls are made of what follows
  friend class GroupAccess;  // and so are those of a server
  friend class PartitionAccess;
  friend class LogCollection;  // nobody else has the engine meanwhile
  friend class LogRelease;
  class Replay;
  State(EngineOptions options, DataLayout layout, Components components, std::unique_ptr<FileLock> lock,
        std::string identity, Background background, const StorageSizes& sizes);

  // Opening (engine_state.cc).
  Result<void> Recover();
  Result<void> AddTopics(std::span<const TopicRow> topics);
  // Producers (engine_producers.cc).
  Result<void> RestoreProducers();
  Result<void> FinishProducers();
  void ExpireProducers();
  Result<void> KeepProducers();
  [[nodiscard]] std::vector<KnownProducer> KnownProducers() const;  // for a snapshot
  [[nodiscard]] std::optional<PartitionSnapshot> ProducersInNote() const;
  [[nodiscard]] bool ProducersAreAsNoted(const std::optional<PartitionSnapshot>& noted) const;

  // Leader epochs (engine_epochs.cc).
  /// Reads where epochs began, and begins new ones where an end that readers or producers knew may be lost.
  Result<void> StartEpochs();
  Result<void> RaiseEpochs(std::vector<EpochGround>& grounds);
  /// For people who find the directory held: where they can read the log instead.
  void RememberHome() const;
  /// Reads the time that an earlier process kept.
  Result<void> StartTime();
  std::shared_ptr<ObjectStore> Retrying();
  void PauseRetry(std::chrono::nanoseconds pause);
  StoreClaimOptions ClaimOptions();
  /// Whether an object holds records that this log had not come to when it was opened.
  [[nodiscard]] bool WentFurther(const ObjectDirectory& directory) const;
  void EndWriting(const Error& fenced);
  /// The object store knows these ends: appends may go on above them.
  void RaiseCeilings(std::span<const PartitionRow> rows);

  // A log that is read from its object store alone (engine_following.cc).
  static Result<std::unique_ptr<State>> OpenFollowing(EngineOptions options, Components components,
                                                      Background background, const StorageSizes& sizes);
  std::unique_ptr<LogFollower> MakeFollower();
  std::shared_ptr<ObjectStore> ReadersStore();
  void MoveStarts(const FollowedNews& news);
  Result<void> TakeNews(const FollowedNews& news, std::span<const FollowedChange> changes);

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
  bool epochs_owed_ = false;                       // they had to rise and could not: set while it opens
  std::map<PartitionKey, Offset> recovered_ends_;  // of the partitions that could be recovered; set by Recover

  // Own synchronization; from below upwards.
  const std::shared_ptr<CallGate> calls_ = std::make_shared<CallGate>();  // shared with consumers and cursors
  std::stop_source stop_;                                                 // ends what waits for the object store
  WalIndexBudget index_budget_;                                           // calls that the WAL still holds hold logs
  DiskWal wal_;
  const std::shared_ptr<MeteredObjectStore> metered_;
  const std::shared_ptr<ObjectStore> stopping_;  // what the claim speaks to
  StoreClaim claim_;
  Events events_;
  const std::unique_ptr<LogFollower> follower_;  // none: the log has a directory
  const std::shared_ptr<ObjectStore> objects_;
  TrustedTime time_;
  ProducerStateTable producers_;
  ProducerIds producer_ids_;
  TailCache tail_cache_;
  BlockCache blocks_;
  const std::unique_ptr<SegmentCache> segment_cache_;  // none before objects that are as near as a cache
  ReadMemory read_memory_;
  ReadCounters read_counters_;
  ReadContext read_context_;
  Prefetcher prefetcher_;
  BlockWarmer warmer_;
  RequestThreads request_threads_;
  ArrivedObjects arrived_;
  SegmentUploader uploader_;
  CursorTable cursors_;
  std::atomic<bool> ceiling_met_{false};  // an append was refused that may come again once the store knows more
  PartitionContext partition_context_;
  TopicRegistry registry_;
  RetentionPolicy retention_;
  LogSnapshots snapshots_;
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
  /// The checkpoint that lies on the disk.
  struct KeptProducers {
    std::uint64_t changes = 0;  // of the table when it was taken
    WalPosition wal_end;
    std::uint32_t checksum = 0;
  };
  mutable Mutex kept_producers_mutex_;  // held while one is written
  std::optional<KeptProducers> kept_producers_ MR_GUARDED_BY(kept_producers_mutex_);
  Mutex kept_mutex_;
  std::int64_t kept_ms_ MR_GUARDED_BY(kept_mutex_) = 0;  // trusted time on the disk
  Mutex mutex_;
  std::unique_ptr<FileLock> lock_ MR_GUARDED_BY(mutex_);
  CondVar closing_changed_;
  bool closing_ MR_GUARDED_BY(mutex_) = false, done_closing_ MR_GUARDED_BY(mutex_) = false;
  std::unique_ptr<ThreadPool> read_pool_ MR_GUARDED_BY(mutex_);  // made when first needed
};

}  // namespace millrace
