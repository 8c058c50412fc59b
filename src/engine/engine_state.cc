#include "engine/engine_state.h"

#include <errno.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/limited_wait.h"
#include "base/try.h"
#include "engine/engine_marker.h"
#include "engine/kept_time.h"
#include "engine/option_check.h"
#include "env/overlay_file_system.h"
#include "env/thread_pool.h"
#include "fetch/chunk_fetch.h"
#include "log/partition_snapshot.h"
#include "meta/topic_catalog.h"
#include "store/stopping_object_store.h"
#include "wal/frame.h"

namespace millrace {
namespace {

constexpr std::uint64_t kTailCacheBytes = 64 << 20;
constexpr std::uint64_t kFrameSlack = 1 << 20;  // of a batch that grew by compression
constexpr std::chrono::milliseconds kFarGrace = std::chrono::hours(1);

/// Requests ahead of readers at once: as many of full size as the memory of reads could hold. They mostly wait.
std::size_t PrefetchThreads(const ReadConfig& read, Background background) {
  if (background != Background::kThreads) return 0;
  return std::clamp<std::uint64_t>(read.read_memory_max / kJoinBytesMax, 16, 64);
}

/// "process 977 (millrace, since 2026-01-01 09:14:00 UTC)".
std::string Holder(const Clock& clock) {
  return fmt::format("process {} ({}, since {:%Y-%m-%d %H:%M:%S} UTC)", getpid(), program_invocation_short_name,
                     fmt::gmtime(static_cast<std::time_t>(clock.WallMs() / 1'000)));
}

/// Whether a log was ever made here. Looks only.
Result<bool> HoldsLog(FileSystem& file_system, const DataLayout& layout) {
  const auto entries = file_system.List(layout.root);
  if (!entries && entries.error().code() == ErrorCode::kNotFound) return false;
  if (!entries) return entries.error();
  return std::ranges::any_of(*entries, [&](const DirectoryEntry& entry) {
    return entry.name == layout.marker.filename() || entry.name == layout.wal.filename() || entry.name == "metadata.db";
  });
}

WalOptions WalOptionsOf(const EngineOptions& options, const DataLayout& layout, const StorageSizes& sizes) {
  return {.directory = layout.wal,
          .sync = options.sync,
          .wal_bytes_max = options.wal_bytes_max,
          .frame_bytes_max = options.batch_bytes_max + kFrameSlack,
          .staging_bytes = sizes.wal_staging_bytes,
          .file_bytes = sizes.wal_file_bytes};
}

ObjectCollectorOptions CollectorOptions(const EngineOptions& options, const DataLayout& layout,
                                        const Components& components) {
  ObjectCollectorOptions collector{.key_prefix = layout.key_prefix};
  collector.delete_grace =
      options.upload.delete_grace.value_or(components.objects_are_near ? std::chrono::milliseconds(0) : kFarGrace);
  return collector;
}

SegmentUploaderOptions UploaderOptions(const EngineOptions& options, const DataLayout& layout, TrustedTime& time) {
  return {.schedule = {.segment_bytes_max = options.upload.segment_bytes_max,
                       .segment_age_max = options.upload.segment_age_max},
          .codec = options.upload.codec,
          .key_prefix = layout.key_prefix,
          .time = &time};
}

/// None for objects that are near, where nothing is written, or for a ceiling of nothing; then what an earlier ceiling
/// left goes.
std::unique_ptr<SegmentCache> OpenSegmentCache(const EngineOptions& options, const DataLayout& layout,
                                               const Components& components,
                                               std::function<void(const BackgroundFailure&)> on_failure) {
  if (components.objects_are_near || options.read_only) return nullptr;
  return SegmentCache::Open({.directory = layout.cache,
                             .bytes_max = options.read.cache_max_size,
                             .eviction = options.read.eviction,
                             .on_failure = std::move(on_failure)},
                            *components.file_system, *components.clock);
}

/// Who opens for reading shares the lock, and what this engine changes stays in memory.
Result<std::unique_ptr<FileLock>> LockLog(const EngineOptions& options, const DataLayout& layout,
                                          Components& components) {
  FileSystem& file_system = *components.file_system;
  auto lock = options.read_only ? file_system.LockShared(layout.lock)
                                : file_system.Lock(layout.lock, Holder(*components.clock));
  if (!lock) return lock.error().WithContext("cannot open " + layout.root.string());
  if (options.read_only) components.file_system = std::make_shared<OverlayFileSystem>(components.file_system);
  return lock;
}

}  // namespace

/// Hands what the WAL finds to the partitions it belongs to; frames of topics that are gone belong to none.
class Engine::State::Replay final : public WalReplay {
 public:
  explicit Replay(TopicRegistry& registry) {
    registry.ForEach([&](TieredPartition& partition) {
      logs_.emplace(Partition::StreamOf(partition.log().key()), &partition.log());
    });
  }
  Result<void> OnFrame(WalStream stream, WalExtent extent, std::span<const std::byte> payload) override {
    MR_DCHECK(static_cast<std::uint64_t>(extent.end - extent.begin) == WalFrameBytes(payload.size()),
              extent.begin.value(), extent.end.value(), payload.size());
    if (const auto log = logs_.find(stream); log != logs_.end()) {
      // A partition that cannot take its frame answers for it from now on; the others open.
      (void)log->second->RecoverFrame(extent, payload);
    }
    return {};
  }
  Result<void> OnDamage(const WalDamage& damage) override {
    MR_DCHECK(damage.extent.begin <= damage.extent.end, damage.file, damage.extent.begin.value());
    for (const auto& [stream, log] : logs_) log->RecoverDamage(damage);
    return {};
  }
  Result<void> OnDamagedFrame(const WalDamage& damage, std::span<const std::byte> payload) override {
    if (Planted(Bug::kLogDamageSpreads)) return OnDamage(damage);
    MR_CHECK(damage.stream, damage.file);
    if (const auto log = logs_.find(*damage.stream); log != logs_.end())
      log->second->RecoverDamagedFrame(damage, payload);
    return {};
  }
  /// A single frame that one partition misses was no other's.
  void AcquitOthers() {
    std::vector<WalPosition> explained;
    for (const auto& [stream, log] : logs_) {
      const auto lost = log->FramesLostHere();
      explained.insert(explained.end(), lost.begin(), lost.end());
    }
    if (explained.empty()) return;
    for (const auto& [stream, log] : logs_) log->Acquit(explained);
  }
  bool OnCleanClose(std::span<const std::byte> note) override {
    std::vector<std::pair<PartitionLog*, PartitionSnapshot>> runs;
    std::set<WalStream> seen;
    while (!note.empty()) {
      auto run = DecodePartitionSnapshot(note);
      if (!run || !seen.insert(run->stream).second) return false;
      const auto log = logs_.find(run->stream);
      if (log == logs_.end()) continue;  // of a topic that is gone
      if (!log->second->CanRestoreSnapshot(*run)) return false;
      runs.emplace_back(log->second, *std::move(run));
    }
    for (auto& [log, run] : runs) log->RestoreSnapshot(std::move(run));
    return true;
  }

 private:
  std::map<WalStream, PartitionLog*> logs_;
};

Result<std::unique_ptr<Engine::State>> Engine::State::Open(EngineOptions options, Background background,
                                                           std::shared_ptr<Random> random, const StorageSizes& sizes) {
  MR_TRY(CheckEngineOptions(options));
  MR_TRY(Components::CheckUrls(options));
  MR_TRY(DataLayout::MakeAbsolute(options));
  const DataLayout layout = DataLayout::Of(options);
  Components components = Components::Machine(options);
  if (random) components.random = std::move(random);
  if (options.create_if_missing && !options.read_only) {
    MR_TRY(components.file_system->CreateDirectories(layout.root));
  } else {
    MR_ASSIGN_OR_RETURN(const bool exists, HoldsLog(*components.file_system, layout));
    if (!exists)
      return Error(ErrorCode::kNotFound, fmt::format("there is no log at {}", layout.root.string()),
                   "open with create_if_missing to make it");
  }
  MR_ASSIGN_OR_RETURN(auto lock, LockLog(options, layout, components));
  FileSystem& file_system = *components.file_system;
  MR_TRY(ReadEngineMarker(file_system, layout.marker));  // a newer version is told before anything is touched
  MR_TRY(components.OpenStores(options, layout));
  if (options.objects && background == Background::kThreads)
    components.objects = components.brought =
        std::make_shared<AbandoningObjectStore>(components.objects, components.clock);
  MR_ASSIGN_OR_RETURN(std::string identity,
                      EstablishIdentity(file_system, layout, *components.metadata, *components.random));
  std::unique_ptr<State> engine(new State(std::move(options), layout, std::move(components), std::move(lock),
                                          std::move(identity), background, sizes));
  MR_TRY(engine->Recover());
  const bool works = background == Background::kThreads && !engine->options_.read_only;
  if (works) MR_TRY(engine->housekeeper_.Start());
  return engine;
}

std::unique_ptr<Engine> Engine::State::Wrap(std::unique_ptr<State> state) {
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Engine::State::State(EngineOptions options, DataLayout layout, Components components, std::unique_ptr<FileLock> lock,
                     std::string identity, Background background, const StorageSizes& sizes)
    : options_(std::move(options)),
      layout_(std::move(layout)),
      components_(std::move(components)),
      identity_(std::move(identity)),
      background_(background),
      index_budget_(options_.wal_index_memory_max),
      wal_(WalOptionsOf(options_, layout_, sizes), *components_.file_system, *components_.clock),
      metered_(std::make_shared<MeteredObjectStore>(components_.objects)),
      objects_(std::make_shared<StoppingObjectStore>(
          std::make_shared<IdentityCheckedObjectStore>(Retrying(), *components_.metadata, identity_, layout_.key_prefix,
                                                       *components_.clock),
          stop_.get_token())),
      events_(options_.on_event, *components_.clock),
      time_(*components_.clock),
      tail_cache_(kTailCacheBytes),
      blocks_({.block_bytes_max = options_.read.block_cache_max_size, .eviction = options_.read.eviction}),
      segment_cache_(OpenSegmentCache(options_, layout_, components_,
                                      [this](const BackgroundFailure& failure) { TellCache(failure); })),
      read_memory_(options_.read.read_memory_max, *components_.clock),
      read_context_{{.objects = *objects_,
                     .blocks = blocks_,
                     .memory = read_memory_,
                     .counters = read_counters_,
                     .clock = *components_.clock,
                     .segment_cache = segment_cache_.get()}},
      prefetcher_(read_context_, {.threads = PrefetchThreads(options_.read, background_)}),
      warmer_(read_context_, {.cache_bytes_max = options_.read.block_cache_max_size}),
      request_threads_(*components_.clock),
      uploader_(UploaderOptions(options_, layout_, time_), *objects_, *components_.metadata, *components_.clock,
                *components_.random),
      cursors_({.directory = layout_.positions, .file_bytes_min = sizes.position_file_bytes_min},
               *components_.file_system, *components_.clock, TellCorrected(), calls_),
      partition_context_{.sync = options_.sync,
                         .wal = wal_,
                         .tail_cache = tail_cache_,
                         .index_budget = index_budget_,
                         .clock = *components_.clock,
                         .metadata = *components_.metadata,
                         .read = read_context_,
                         .uploads = uploader_.schedule(),
                         .cursors = cursors_},
      retention_(*components_.metadata, time_),
      collector_(CollectorOptions(options_, layout_, components_), *objects_, *components_.metadata, time_),
      recycler_(wal_),
      positions_(*components_.metadata, TellCorrected()),
      consumers_([this](std::string_view topic) { return SourcesOf(topic); }, positions_, *components_.clock, calls_),
      appender_({.limits = {.record_bytes_max = options_.record_bytes_max, .batch_bytes_max = options_.batch_bytes_max},
                 .append_wait_max = options_.append_wait_max},
                wal_, uploader_.schedule(), *components_.clock, *calls_, [this] { housekeeper_.OnPressure(); }),
      housekeeper_(steps()),
      lock_(std::move(lock)) {
  if (segment_cache_ && options_.read.prefetch_enabled) read_context_.prefetcher = &prefetcher_;
  if (!segment_cache_ && options_.read.prefetch_enabled && background_ == Background::kThreads)
    read_context_.warmer = &warmer_;
  if (segment_cache_ && background_ == Background::kThreads) read_context_.requests = &request_threads_;
  MR_CHECK(read_context_.prefetcher == nullptr || read_context_.warmer == nullptr);  // bytes are fetched ahead by one
}

std::shared_ptr<ObjectStore> Engine::State::Retrying() {
  return std::make_shared<RetryingObjectStore>(metered_, RetryOptions{}, *components_.clock, *components_.random,
                                               [this](std::chrono::nanoseconds pause) { PauseRetry(pause); });
}

void Engine::State::PauseRetry(std::chrono::nanoseconds pause) {
  // Without threads of its own the engine lives in simulated time, which does not pass while it sleeps.
  if (background_ == Background::kNone) return;
  LimitedWait wait(mutex_, closing_changed_, *components_.clock);
  MutexLock lock(mutex_);
  if (!closing_) wait.WaitFor(mutex_, pause);
}

HousekeeperSteps Engine::State::steps() {
  return {.wal = wal_,
          .uploader = uploader_,
          .async = appender_.async(),
          .retention = retention_,
          .collector = collector_,
          .recycler = recycler_,
          .partitions = registry_,
          .prefetcher = prefetcher_,
          .clock = *components_.clock,
          .calls = *calls_,
          .time = time_,
          .events = events_,
          .keep_time = [this] { return KeepTime(std::chrono::minutes(5)); },
          .reconcile_topics = [this] { return ReconcileTopics(); }};
}

/// Once a log is open its time is kept; so a log without a kept time was never open, and nothing in it can be too old.
Result<void> Engine::State::StartTime() {
  const auto kept = ReadKeptTime(*components_.file_system, layout_.time);
  if (!kept) {
    time_.Start(std::nullopt, TrustedTime::Kept::kUnreadable);
    return {};
  }
  time_.Start(*kept);
  if (!*kept) return KeepTime(std::chrono::hours(1));
  MutexLock lock(kept_mutex_);
  kept_ms_ = **kept;
  return {};
}

Result<void> Engine::State::KeepTime(std::chrono::milliseconds moved_min) {
  MutexLock lock(kept_mutex_);
  // Kept now, a time that is doubted would be believed by the next process.
  if (!time_.known()) return {};
  const std::int64_t now_ms = time_.WallMs();
  if (now_ms - kept_ms_ <= moved_min.count()) return {};
  if (auto written = WriteKeptTime(*components_.file_system, layout_.time, now_ms); !written)
    return written.error().WithContext("cannot keep the time");
  kept_ms_ = now_ms;
  return {};
}

/// From an uploader, under no lock.
void Engine::State::TellUpload(const PartitionUpload& upload, const Error* error) {
  if (error != nullptr && error->code() == ErrorCode::kClosed) return;  // we end
  Event event{.kind = error == nullptr ? EventKind::kUploadsResumed : EventKind::kUploadFailing,
              .partition = upload.partition().log().name()};
  const std::string where = fmt::format("{}/{}", event.partition.topic, event.partition.partition.value());
  event.message = error == nullptr ? "uploads of " + where + " succeed again"
                                   : "an upload of " + where + " failed and is tried again";
  if (error != nullptr) event.error = *error;
  events_.Tell(std::move(event));
}

/// Runs under the locks of the cursor table or position store that notices it.
OnCorrected Engine::State::TellCorrected() {
  return [this](const TopicPartition& partition, const std::string& what) {
    events_.Queue({.kind = EventKind::kPositionCorrected, .message = what, .partition = partition});
  };
}

/// From a reader or a prefetcher, under no lock.
void Engine::State::TellCache(const BackgroundFailure& failure) {
  events_.Tell({.kind = EventKind::kCacheDisabled,
                .message = fmt::format("the disk cache at {} is left alone, and reads go to the object store: {}",
                                       layout_.cache.string(), failure.error.message()),
                .error = failure.error});
}

/// No call returns what recovery met: the log opens, and the partitions answer for themselves.
void Engine::State::TellRecovered() {
  for (Topic* topic : registry_.Topics())
    for (Partition* partition : topic->partitions()) {
      const TopicPartition& name = partition->name();
      const std::string where = fmt::format("{}/{}", name.topic, name.partition.value());
      if (const auto broken = partition->log().broken())
        events_.Tell({EventKind::kPartitionBroken, where + " could not be recovered", *broken, name});
      for (const DamagedRange& range : partition->log().damage_found())
        events_.Tell({EventKind::kDamageFound,
                      fmt::format("{} lost offsets [{}, {})", where, range.begin.value(), range.end.value()),
                      Error(ErrorCode::kCorruption, "damage in " + range.place).WithDamage(range), name});
    }
  if (segment_cache_)
    if (const auto failure = segment_cache_->Stats().failure) TellCache(*failure);
  events_.TellQueued();
}

Result<void> Engine::State::Recover() {
  MR_TRY(StartTime());
  uploader_.schedule().SetListener(
      [this](const PartitionUpload& upload, const Error* error) { TellUpload(upload, error); });
  MR_ASSIGN_OR_RETURN(const auto topics, TopicCatalog(*components_.metadata).Topics());
  for (const TopicRow& row : topics) MR_TRY(AddTopic(row));
  Replay replay(registry_);
  MR_TRY(wal_.Recover(replay));
  replay.AcquitOthers();
  wal_.SetDurableListener([this](WalPosition) { housekeeper_.OnDurable(); });
  cursors_.ForgetUnless([&](const PartitionKey& key) {
    return std::ranges::any_of(topics, [&](const TopicRow& row) { return row.id == key.topic; });
  });
  std::map<PartitionKey, std::pair<TopicPartition, Offset>> ends;
  for (Topic* topic : registry_.Topics())
    for (Partition* partition : topic->partitions())
      if (partition->Start()) {
        MR_TRY(cursors_.HoldTo(*partition));
        ends.emplace(partition->key(), std::pair(partition->name(), partition->bounds().end));
      }
  MR_TRY(positions_.HoldTo([&](const PartitionKey& key) -> std::optional<std::pair<TopicPartition, Offset>> {
    if (const auto found = ends.find(key); found != ends.end()) return found->second;
    return {};  // gone, or broken: it answers for itself, and its end is not known
  }));
  (void)KeepTime(std::chrono::hours(1));  // the keeper tries again and tells
  TellRecovered();
  return {};
}

/// Its partitions are found from now on; they still have to be started.
Result<Topic*> Engine::State::AddTopic(const TopicRow& row) {
  MR_ASSIGN_OR_RETURN(const auto partitions, TopicCatalog(*components_.metadata).Partitions(row.id));
  auto topic = std::make_unique<Topic>(row);
  topic->Grow(partitions, partition_context_);
  topic->Publish();
  return &registry_.Add(std::move(topic));
}

Engine::State::~State() {
  MR_CHECK(!calls_->ThisThreadIsInside());  // an engine is not destroyed by one of its own callbacks
  (void)Close();
}

Result<void> Engine::State::CheckWritable() const {
  if (!options_.read_only) return {};
  return Error(ErrorCode::kPermissionDenied, fmt::format("{} is open for reading only", layout_.root.string()),
               "nothing can be changed there, or shall be: change the log where its directory can be written");
}

Result<void> Engine::State::CheckOpen() const {
  if (closed_.load(std::memory_order_acquire)) return ClosedError();
  return {};
}

/// What the WAL holds of every partition. None: of one of them only the frames can tell.
std::optional<std::vector<std::byte>> Engine::State::CloseNote() const {
  std::vector<std::byte> note;
  for (Topic* topic : registry_.Topics()) {
    for (Partition* partition : topic->partitions()) {
      const auto run = partition->log().TakeSnapshot();
      if (!run) return std::nullopt;
      MR_CHECK(run->end == partition->log().offsets().log_end, run->end.value());
      if (!run->index.empty()) EncodePartitionSnapshot(*run, note);
    }
  }
  return note;
}

/// Every wait ends: for records, for objects and the store, for room. Then the last call is waited for.
void Engine::State::EndCalls(const Error& error) {
  calls_->Shut();
  stop_.request_stop();
  housekeeper_.RequestStop();
  {
    MutexLock topics(topics_mutex_);  // a change of topics under way ends before its partitions are; no other begins
  }
  consumers_.End(error);
  for (Topic* topic : registry_.TopicsEver())
    for (Partition* partition : topic->partitions()) partition->End(error);
  uploader_.schedule().Close(error);
  appender_.async().EndWaits();
  wal_.StopStaging();  // and appenders that wait for room are refused
}

Result<void> Engine::State::Close() {
  if (calls_->ThisThreadIsInside())
    return Error(ErrorCode::kInvalidArgument, "Close was called by a callback of the engine, for which it would wait",
                 "let the callback return and close from another thread");
  std::unique_ptr<ThreadPool> read_pool;
  {
    MutexLock lock(mutex_);
    while (closing_ && !done_closing_) closing_changed_.Wait(mutex_);
    if (done_closing_) return {};
    closing_ = true;
    closing_changed_.NotifyAll();
  }
  closed_.store(true, std::memory_order_release);
  EndCalls(ClosedError());
  auto persisted = cursors_.Close();
  housekeeper_.StopBackground();
  calls_->AwaitEmpty();
  prefetcher_.Close();
  warmer_.Close();
  request_threads_.Close();
  {
    MutexLock lock(mutex_);
    read_pool = std::move(read_pool_);
  }
  if (read_pool) read_pool->Close();
  if (components_.brought) components_.brought->Dismiss();
  auto synced = CloseLogs();
  if (segment_cache_) segment_cache_->Close();
  (void)KeepTime(std::chrono::minutes(1));  // an older time is as good: ages are counted too short by it
  auto metadata = components_.metadata->Close();
  {
    MutexLock lock(mutex_);
    MR_CHECK(closing_ && !done_closing_ && !read_pool_);
    lock_.reset();
    done_closing_ = true;
    closing_changed_.NotifyAll();
  }
  if (!persisted) return persisted;
  if (!synced) return synced;
  return metadata;
}

/// Nothing is appended any more: what is staged is synced, and every append is told.
Result<void> Engine::State::CloseLogs() {
  MR_CHECK(closed_.load());
  const WalPosition staged_end = wal_.StopStaging();  // nothing follows: what the partitions hold is all there is
  const auto note = CloseNote();
  MR_DCHECK(wal_.StopStaging() == staged_end, staged_end.value());
  auto synced = note ? wal_.CloseWithNote(*note, staged_end) : wal_.Close();  // completes what is staged
  housekeeper_.StopForeground();
  while (appender_.async().CompleteOnce()) {
  }
  return synced;
}

}  // namespace millrace
