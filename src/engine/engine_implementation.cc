#include "engine/engine_implementation.h"

#include <errno.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "engine/engine_marker.h"
#include "engine/option_check.h"
#include "env/thread_pool.h"
#include "log/hot_run.h"
#include "read/chunk_fetch.h"

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

Result<bool> Exists(FileSystem& file_system, const std::filesystem::path& path) {
  const auto listed = file_system.List(path);
  if (listed) return true;
  if (listed.error().code() == ErrorCode::kNotFound) return false;
  return listed.error();
}

ObjectCollectorOptions CollectorOptions(const EngineOptions& options, const DataLayout& layout,
                                        const Components& components) {
  ObjectCollectorOptions collector{.key_prefix = layout.key_prefix};
  collector.delete_grace =
      options.upload.delete_grace.value_or(components.objects_are_near ? std::chrono::milliseconds(0) : kFarGrace);
  return collector;
}

SegmentUploaderOptions UploaderOptions(const EngineOptions& options, const DataLayout& layout) {
  return {.schedule = {.segment_bytes_max = options.upload.segment_bytes_max,
                       .segment_age_max = options.upload.segment_age_max},
          .codec = options.upload.codec,
          .key_prefix = layout.key_prefix};
}

/// None for objects that are near, or for a ceiling of nothing; then what an earlier ceiling left goes.
std::unique_ptr<SegmentCache> OpenSegmentCache(const EngineOptions& options, const DataLayout& layout,
                                               const Components& components) {
  if (components.objects_are_near) return nullptr;
  return SegmentCache::Open(
      {.directory = layout.cache, .bytes_max = options.read.cache_max_size, .eviction = options.read.eviction},
      *components.file_system, *components.clock);
}

}  // namespace

/// Hands what the WAL finds to the partitions it belongs to; frames of topics that are gone belong to nobody.
class Engine::Implementation::Replay final : public WalReplay {
 public:
  explicit Replay(TopicRegistry& registry) {
    registry.ForEach([&](TieredPartition& partition) {
      logs_.emplace(Partition::StreamOf(partition.log().key()), &partition.log());
    });
  }
  Result<void> OnFrame(WalStream stream, WalExtent extent, std::span<const std::byte> payload) override {
    if (const auto log = logs_.find(stream); log != logs_.end()) {
      // A partition that cannot take its frame answers for it from now on; the others open.
      (void)log->second->RecoverFrame(extent, payload);
    }
    return {};
  }
  Result<void> OnDamage(const WalDamage& damage) override {
    for (const auto& [stream, log] : logs_) log->RecoverDamage(damage);
    return {};
  }
  bool OnCleanClose(std::span<const std::byte> note) override {
    std::vector<std::pair<PartitionLog*, HotRun>> runs;
    std::set<WalStream> seen;
    while (!note.empty()) {
      auto run = DecodeHotRun(note);
      if (!run || !seen.insert(run->stream).second) return false;
      const auto log = logs_.find(run->stream);
      if (log == logs_.end()) continue;  // of a topic that is gone
      if (!log->second->CanRestoreRun(*run)) return false;
      runs.emplace_back(log->second, *std::move(run));
    }
    for (auto& [log, run] : runs) log->RestoreRun(std::move(run));
    return true;
  }

 private:
  std::map<WalStream, PartitionLog*> logs_;
};

Result<std::unique_ptr<Engine::Implementation>> Engine::Implementation::Open(EngineOptions options,
                                                                             Background background,
                                                                             std::shared_ptr<Random> random,
                                                                             const StorageSizes& sizes) {
  MR_TRY(CheckEngineOptions(options));
  MR_TRY(Components::CheckUrls(options));
  const DataLayout layout = DataLayout::Of(options);
  Components components = Components::Machine(options);
  if (random) components.random = std::move(random);
  FileSystem& file_system = *components.file_system;
  if (options.create_if_missing) {
    MR_TRY(file_system.CreateDirectories(layout.root));
  } else {
    MR_ASSIGN_OR_RETURN(const bool exists, Exists(file_system, layout.root));
    if (!exists)
      return Error(ErrorCode::kNotFound, fmt::format("there is no {}", layout.root.string()),
                   "open with create_if_missing to make it");
  }
  auto lock = file_system.Lock(layout.lock, Holder(*components.clock));
  if (!lock) return lock.error().WithContext("cannot open " + layout.root.string());
  MR_TRY(ReadEngineMarker(file_system, layout.marker));  // a newer version is told before anything is touched
  MR_TRY(components.OpenStores(options, layout));
  MR_ASSIGN_OR_RETURN(std::string identity,
                      EstablishIdentity(file_system, layout, *components.metadata, *components.random));
  std::unique_ptr<Implementation> engine(new Implementation(std::move(options), layout, std::move(components),
                                                            *std::move(lock), std::move(identity), background, sizes));
  MR_TRY(engine->Recover(sizes));
  if (background == Background::kThreads) engine->housekeeper_.Start();
  return engine;
}

std::unique_ptr<Engine> Engine::Implementation::Wrap(std::unique_ptr<Implementation> implementation) {
  return std::unique_ptr<Engine>(new Engine(std::move(implementation)));
}

Engine::Implementation::Implementation(EngineOptions options, DataLayout layout, Components components,
                                       std::unique_ptr<FileLock> lock, std::string identity, Background background,
                                       const StorageSizes& sizes)
    : options_(std::move(options)),
      layout_(std::move(layout)),
      components_(std::move(components)),
      identity_(std::move(identity)),
      background_(background),
      metered_(std::make_shared<MeteredObjectStore>(components_.objects)),
      objects_(std::make_shared<IdentityCheckedObjectStore>(Retrying(), *components_.metadata, identity_,
                                                            layout_.key_prefix)),
      tail_cache_(kTailCacheBytes),
      blocks_({.block_bytes_max = options_.read.block_cache_max_size, .eviction = options_.read.eviction}),
      segment_cache_(OpenSegmentCache(options_, layout_, components_)),
      read_memory_(options_.read.read_memory_max, *components_.clock),
      read_context_{.objects = *objects_,
                    .blocks = blocks_,
                    .memory = read_memory_,
                    .counters = read_counters_,
                    .clock = *components_.clock,
                    .segment_cache = segment_cache_.get()},
      prefetcher_(read_context_, {.threads = PrefetchThreads(options_.read, background_)}),
      warmer_(read_context_, {.cache_bytes_max = options_.read.block_cache_max_size}),
      uploader_(UploaderOptions(options_, layout_), *objects_, *components_.metadata, *components_.clock,
                *components_.random),
      cursors_({.directory = layout_.positions, .file_bytes_min = sizes.position_file_bytes_min},
               *components_.file_system, *components_.clock),
      partition_context_{.sync = options_.sync,
                         .wal = wal_,
                         .tail_cache = tail_cache_,
                         .clock = *components_.clock,
                         .metadata = *components_.metadata,
                         .read = read_context_,
                         .uploads = uploader_.schedule(),
                         .cursors = cursors_},
      retention_(*components_.metadata, *components_.clock),
      collector_(CollectorOptions(options_, layout_, components_), *objects_, *components_.metadata,
                 *components_.clock),
      recycler_(wal_),
      positions_(*components_.metadata),
      appender_({.limits = {.record_bytes_max = options_.record_bytes_max, .batch_bytes_max = options_.batch_bytes_max},
                 .append_wait_max = options_.append_wait_max},
                wal_, uploader_.schedule(), *components_.clock, [this] { housekeeper_.OnPressure(); }),
      housekeeper_(steps()),
      lock_(std::move(lock)) {
  if (segment_cache_ && options_.read.prefetch_enabled) read_context_.prefetcher = &prefetcher_;
  if (!segment_cache_ && options_.read.prefetch_enabled && background_ == Background::kThreads)
    read_context_.warmer = &warmer_;
}

std::shared_ptr<ObjectStore> Engine::Implementation::Retrying() {
  constexpr RetryOptions kRetries{.attempts_max = 4, .backoff_first = std::chrono::milliseconds(20)};
  return std::make_shared<RetryingObjectStore>(metered_, kRetries, *components_.clock, *components_.random,
                                               [this](std::chrono::nanoseconds pause) { PauseRetry(pause); });
}

void Engine::Implementation::PauseRetry(std::chrono::nanoseconds pause) {
  MutexLock lock(mutex_);
  if (!closing_) closing_changed_.WaitFor(mutex_, pause);
}

HousekeeperSteps Engine::Implementation::steps() {
  return {.wal = wal_,
          .uploader = uploader_,
          .async = appender_.async(),
          .retention = retention_,
          .collector = collector_,
          .recycler = recycler_,
          .partitions = registry_,
          .prefetcher = prefetcher_,
          .clock = *components_.clock};
}

Result<void> Engine::Implementation::Recover(const StorageSizes& sizes) {
  MR_ASSIGN_OR_RETURN(const auto topics, components_.metadata->Topics());
  for (const TopicRow& row : topics) MR_TRY(AddTopic(row));
  Replay replay(registry_);
  const WalOptions wal{.directory = layout_.wal,
                       .sync = options_.sync,
                       .wal_bytes_max = options_.wal_bytes_max,
                       .frame_bytes_max = options_.batch_bytes_max + kFrameSlack,
                       .staging_bytes = sizes.wal_staging_bytes,
                       .file_bytes = sizes.wal_file_bytes};
  MR_ASSIGN_OR_RETURN(auto opened, Wal::Open(wal, *components_.file_system, *components_.clock, replay));
  wal_.Set(std::move(opened));
  wal_.SetDurableListener([this](WalPosition) { housekeeper_.OnDurable(); });
  cursors_.ForgetUnless([&](const PartitionKey& key) {
    return std::ranges::any_of(topics, [&](const TopicRow& row) { return row.id == key.topic; });
  });
  for (Topic* topic : registry_.Topics())
    for (Partition* partition : topic->partitions())
      if (partition->Start()) MR_TRY(cursors_.HoldTo(*partition));
  return {};
}

/// Its partitions are found from now on; they still have to be started.
Result<Topic*> Engine::Implementation::AddTopic(const TopicRow& row) {
  MR_ASSIGN_OR_RETURN(const auto partitions, components_.metadata->Partitions(row.id));
  auto topic = std::make_unique<Topic>(row);
  topic->Grow(partitions, partition_context_);
  topic->Publish();
  return &registry_.Add(std::move(topic));
}

Engine::Implementation::~Implementation() { (void)Close(); }

Result<void> Engine::Implementation::CheckOpen() const {
  if (closed_.load(std::memory_order_acquire)) return Error(ErrorCode::kClosed, "the engine is closed");
  return {};
}

/// What the WAL holds of every partition. None: of one of them only the frames can tell.
std::optional<std::vector<std::byte>> Engine::Implementation::CloseNote() const {
  std::vector<std::byte> note;
  for (Topic* topic : registry_.Topics()) {
    for (Partition* partition : topic->partitions()) {
      const auto run = partition->log().SaveRun();
      if (!run) return std::nullopt;
      if (!run->index.empty()) EncodeHotRun(*run, note);
    }
  }
  return note;
}

Result<void> Engine::Implementation::Close() {
  std::unique_ptr<ThreadPool> read_pool;
  {
    MutexLock lock(mutex_);
    if (closing_) return {};
    closing_ = true;
    closing_changed_.NotifyAll();
    read_pool = std::move(read_pool_);
  }
  closed_.store(true, std::memory_order_release);
  auto persisted = cursors_.Close();
  const Error closed(ErrorCode::kClosed, "the engine is closed");
  for (Topic* topic : registry_.TopicsEver())
    for (Partition* partition : topic->partitions()) partition->End(closed);
  async_calls_.Close();  // appends under way are staged or refused; the completer still runs
  uploader_.schedule().Close(closed);
  prefetcher_.Close();
  warmer_.Close();
  housekeeper_.StopBackground();
  if (read_pool) read_pool->Close();
  const auto note = CloseNote();
  auto synced = note ? wal_.CloseWithNote(*note) : wal_.Close();  // completes what is staged
  housekeeper_.StopForeground();
  while (appender_.async().CompleteOnce()) {
  }
  if (segment_cache_) segment_cache_->Close();  // reads that still go on find it empty
  auto metadata = components_.metadata->Close();
  {
    MutexLock lock(mutex_);
    lock_.reset();
  }
  if (!persisted) return persisted;
  if (!synced) return synced;
  return metadata;
}

}  // namespace millrace
