#include "engine/engine_state.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limited_wait.h"
#include "base/try.h"
#include "engine/kept_time.h"
#include "env/thread_pool.h"
#include "fetch/chunk_fetch.h"
#include "store/open_object_store.h"
#include "store/stopping_object_store.h"
#include "tier/offset_ceiling.h"

namespace millrace {
namespace {

constexpr std::uint64_t kTailCacheBytes = 64 << 20;
constexpr std::uint64_t kFrameSlack = 1 << 20;  // of a batch that grew by compression
constexpr std::chrono::milliseconds kFarGrace = std::chrono::hours(1);
constexpr std::uint64_t kSegmentsPerLook = 8, kLargestSegment = std::uint64_t{1} << 40;

/// Requests ahead of readers at once: as many of full size as the memory of reads could hold. They mostly wait.
std::size_t PrefetchThreads(const ReadConfig& read, Background background) {
  if (background != Background::kThreads) return 0;
  return std::clamp<std::uint64_t>(read.read_memory_max / kJoinBytesMax, 16, 64);
}

WalOptions WalOptionsOf(const EngineOptions& options, const DataLayout& layout, const StorageSizes& sizes) {
  return {.directory = layout.wal,
          .sync = options.sync,
          .wal_bytes_max = options.wal_bytes_max,
          .frame_bytes_max = options.batch_bytes_max + kFrameSlack,
          .staging_bytes = sizes.wal_staging_bytes,
          .file_bytes = sizes.wal_file_bytes};
}

ObjectCollectorOptions CollectorOptions(const EngineOptions& options, const Components& components) {
  ObjectCollectorOptions collector;
  collector.delete_grace = DeleteGrace(options, components);
  return collector;
}

SegmentUploaderOptions UploaderOptions(const EngineOptions& options, TrustedTime& time,
                                       std::function<Result<void>()> before_first) {
  return {.schedule = {.segment_bytes_max = options.upload.segment_bytes_max,
                       .segment_age_max = options.upload.segment_age_max},
          .codec = options.upload.codec,
          .time = &time,
          .before_first = std::move(before_first)};
}

/// None for objects that are near, where nothing is written, or for a ceiling of nothing; then what an earlier ceiling
/// left goes.
std::unique_ptr<SegmentCache> OpenSegmentCache(const EngineOptions& options, const DataLayout& layout,
                                               const Components& components,
                                               std::function<void(const BackgroundFailure&)> on_failure) {
  if (components.objects_are_near || (options.read_only && !components.cache_files)) return nullptr;
  FileSystem& files = components.cache_files ? *components.cache_files : *components.file_system;
  return SegmentCache::Open({.directory = layout.cache,
                             .bytes_max = options.read.cache_max_size,
                             .eviction = options.read.eviction,
                             .on_failure = std::move(on_failure)},
                            files, *components.clock);
}

}  // namespace

std::chrono::milliseconds DeleteGrace(const EngineOptions& options, const Components& components) {
  return options.upload.delete_grace.value_or(components.objects_are_near ? std::chrono::milliseconds(0) : kFarGrace);
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
      stopping_(std::make_shared<StoppingObjectStore>(Retrying(), stop_.get_token())),
      claim_(ClaimOptions(), {layout_.key_prefix, identity_}, *stopping_, *components_.metadata, *components_.clock,
             *components_.random),
      events_(options_.on_event, *components_.clock),
      follower_(MakeFollower()),
      objects_(ReadersStore()),
      time_(*components_.clock),
      producer_ids_(*components_.metadata, *components_.random),
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
      arrived_(claim_, *objects_, *components_.metadata, time_),
      uploader_(UploaderOptions(options_, time_, [this] { return arrived_.TakeOnce(registry_); }), wal_, claim_,
                *objects_, *components_.metadata, *components_.clock, *components_.random),
      cursors_({.directory = layout_.positions, .file_bytes_min = sizes.position_file_bytes_min},
               *components_.file_system, *components_.clock, TellCorrected(), calls_),
      partition_context_{.sync = options_.sync,
                         .wal = wal_,
                         .tail_cache = tail_cache_,
                         .index_budget = index_budget_,
                         .producers = producers_,
                         .clock = *components_.clock,
                         .metadata = *components_.metadata,
                         .read = read_context_,
                         .uploads = uploader_.schedule(),
                         .cursors = cursors_,
                         .ceiling_met = components_.objects_are_shared ? &ceiling_met_ : nullptr},
      retention_(*components_.metadata, time_),
      snapshots_(claim_, *objects_, *components_.metadata, time_,
                 {.wanted = &ceiling_met_,
                  .on_proven = [this](std::span<const PartitionRow> rows) { RaiseCeilings(rows); },
                  .producers = [this] { return KnownProducers(); }}),
      collector_(CollectorOptions(options_, components_), claim_, snapshots_, *objects_, *components_.metadata, time_),
      recycler_(wal_, options_.upload.segment_bytes_max, [this] { return KeepProducers(); }),
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

StoreClaimOptions Engine::State::ClaimOptions() {
  char host[256] = {};
  (void)::gethostname(host, sizeof host - 1);
  const auto marker = components_.file_system->FileMark(layout_.marker);
  return {.claims = components_.objects_are_shared,
          .single_writer = IsSingleWriter(components_.home),
          .host = host,
          .marker = marker ? *marker : std::string(),
          .went_further = [this](const ObjectDirectory& directory) { return WentFurther(directory); },
          .on_fenced = [this](const Error& error) { EndWriting(error); }};
}

bool Engine::State::WentFurther(const ObjectDirectory& directory) const {
  return std::ranges::any_of(directory.entries, [&](const ObjectEntry& entry) {
    const PartitionKey key{directory.topics[entry.topic].number, entry.partition};
    const auto end = recovered_ends_.find(key);
    return end != recovered_ends_.end() && entry.end > end->second;
  });
}

/// The log went on elsewhere: nothing that is appended here would ever be found. From an uploader or a keeper, under no
/// lock. Reads of what is local go on.
void Engine::State::EndWriting(const Error& fenced) {
  registry_.ForEach([&](TieredPartition& partition) {
    uploader_.schedule().EndUpload(partition.upload(), fenced);
    partition.log().Interrupt(fenced);
  });
  events_.Tell({.kind = EventKind::kLogFenced, .message = std::string(fenced.message()), .error = fenced});
}

void Engine::State::RaiseCeilings(std::span<const PartitionRow> rows) {
  std::map<PartitionKey, Offset> ends;
  for (const PartitionRow& row : rows) ends[row.key] = row.tiered_end;
  registry_.ForEach([&](TieredPartition& partition) {
    const auto end = ends.find(partition.log().key());
    if (end != ends.end()) partition.log().RaiseCeiling(CeilingOver(end->second));
  });
}

HousekeeperSteps Engine::State::steps() {
  return {.wal = wal_,
          .uploader = uploader_,
          .async = appender_.async(),
          .retention = retention_,
          .snapshots = snapshots_,
          .collector = collector_,
          .recycler = recycler_,
          .partitions = registry_,
          .prefetcher = prefetcher_,
          .clock = *components_.clock,
          .calls = *calls_,
          .time = time_,
          .events = events_,
          .look_after_bytes = std::min(options_.upload.segment_bytes_max, kLargestSegment) * kSegmentsPerLook,
          .keep_time =
              [this] {
                ExpireProducers();
                return KeepTime(std::chrono::minutes(5));
              },
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

Result<void> Engine::State::CheckWritable() const {
  if (claim_.is_fenced()) [[unlikely]]
    return *claim_.fenced();
  if (!options_.read_only) return {};
  if (components_.follows)
    return Error(ErrorCode::kPermissionDenied,
                 fmt::format("{} is followed, and open for reading only", components_.objects->Describe()),
                 "change the log where it is written: through its data directory, or the server that has it");
  return Error(ErrorCode::kPermissionDenied, fmt::format("{} is open for reading only", layout_.root.string()),
               "nothing can be changed there, or shall be: change the log where its directory can be written");
}

Result<void> Engine::State::CheckOpen() const {
  if (closed_.load(std::memory_order_acquire)) return ClosedError();
  return {};
}

}  // namespace millrace
