// How an engine comes to be: its directory is locked, its stores are opened, and what the last process left in the WAL
// is handed to the partitions that it belongs to.
#include <errno.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "engine/engine_marker.h"
#include "engine/engine_state.h"
#include "engine/log_restore.h"
#include "engine/option_check.h"
#include "engine/small_file.h"
#include "env/overlay_file_system.h"
#include "log/partition_snapshot.h"
#include "meta/topic_catalog.h"
#include "store/open_object_store.h"
#include "wal/frame.h"

namespace millrace {
namespace {

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

/// A restore that died has left no log yet.
Result<void> CheckNotUnfinished(FileSystem& file_system, const DataLayout& layout) {
  MR_ASSIGN_OR_RETURN(const auto unfinished, ReadSmallFile(file_system, layout.root / kRestoreUnfinished, 64));
  if (!unfinished) return {};
  MR_ASSIGN_OR_RETURN(const auto marked, ReadEngineMarker(file_system, layout.marker));
  if (marked) return {};  // it died at its very end
  return Error(ErrorCode::kUnavailable, fmt::format("a restore into {} has not come to its end", layout.root.string()),
               "run `millrace store restore` again")
      .WithRetryable(false);
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
  /// `producers_fit`: whether what is known of producers is what a note names.
  using ProducersFit = std::function<bool(const std::optional<PartitionSnapshot>& noted)>;
  Replay(TopicRegistry& registry, ProducersFit producers_fit) : producers_fit_(std::move(producers_fit)) {
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
    std::optional<PartitionSnapshot> producers;
    while (!note.empty()) {
      auto run = DecodePartitionSnapshot(note);
      if (!run || !seen.insert(run->stream).second) return false;
      if (run->stream == kProducersInNote) {
        producers = *std::move(run);
        continue;
      }
      const auto log = logs_.find(run->stream);
      if (log == logs_.end()) continue;  // of a topic that is gone
      if (!log->second->CanRestoreSnapshot(*run)) return false;
      runs.emplace_back(log->second, *std::move(run));
    }
    if (!producers_fit_(producers)) return false;
    for (auto& [log, run] : runs) log->RestoreSnapshot(std::move(run));
    return true;
  }

 private:
  const ProducersFit producers_fit_;
  std::unordered_map<WalStream, PartitionLog*> logs_;
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
    const bool named = !options.data_dir.empty();
    MR_ASSIGN_OR_RETURN(const bool exists, named ? HoldsLog(*components.file_system, layout) : Result<bool>(false));
    if (!exists && Components::MayFollow(options))
      return OpenFollowing(std::move(options), std::move(components), background, sizes);
    if (!exists)
      return Error(ErrorCode::kNotFound, fmt::format("there is no log at {}", layout.root.string()),
                   "open with create_if_missing to make it");
  }
  MR_ASSIGN_OR_RETURN(auto lock, LockLog(options, layout, components));
  FileSystem& file_system = *components.file_system;
  MR_ASSIGN_OR_RETURN(const auto marked,
                      ReadEngineMarker(file_system, layout.marker));  // a newer version is told first
  if (options.take_over && !marked) {
    const std::size_t at_once = background == Background::kThreads ? RestoreOptions{}.requests_at_once : 1;
    MR_TRY(RestoreInto(options, layout, components, {.requests_at_once = at_once}));
  }
  MR_TRY(CheckNotUnfinished(file_system, layout));
  MR_TRY(components.OpenStores(options, layout));
  if (options.objects && background == Background::kThreads)
    components.objects = components.brought =
        std::make_shared<AbandoningObjectStore>(components.objects, components.clock);
  MR_ASSIGN_OR_RETURN(std::string identity, EstablishIdentity(file_system, layout, *components.metadata,
                                                              *components.random, components.home));
  if (!components.home.empty()) options.object_store = components.home;
  std::unique_ptr<State> engine(new State(std::move(options), layout, std::move(components), std::move(lock),
                                          std::move(identity), background, sizes));
  MR_TRY(engine->Recover());
  if (!engine->options_.read_only) engine->RememberHome();
  const bool works = background == Background::kThreads && !engine->options_.read_only;
  if (works) MR_TRY(engine->housekeeper_.Start());
  return engine;
}

void Engine::State::RememberHome() const {
  if (components_.home.empty() || !components_.objects_are_shared) return;
  const auto told = ReadSmallFile(*components_.file_system, layout_.home, kHomeBytesMax);
  if (told && *told == components_.home + '\n') return;
  (void)ReplaceSmallFile(*components_.file_system, layout_.home, components_.home + '\n');
}

/// No call returns what recovery met: the log opens, and the partitions answer for themselves.
void Engine::State::TellRecovered() {
  for (Topic* topic : registry_.Topics())
    for (Partition* partition : topic->partitions()) {
      const auto broken = partition->log().broken();
      const auto damage = partition->log().damage_found();
      if (!broken && damage.empty()) continue;
      const TopicPartition& name = partition->name();
      const std::string where = fmt::format("{}/{}", name.topic, name.partition.value());
      if (broken) events_.Tell({EventKind::kPartitionBroken, where + " could not be recovered", *broken, name});
      for (const DamagedRange& range : damage)
        events_.Tell({EventKind::kDamageFound,
                      fmt::format("{} lost offsets [{}, {})", where, range.begin.value(), range.end.value()),
                      Error(ErrorCode::kCorruption, "damage in " + range.place).WithDamage(range), name});
    }
  if (segment_cache_)
    if (const auto failure = segment_cache_->Stats().failure) TellCache(*failure);
  events_.TellQueued();
}

Result<void> Engine::State::Recover() {
  MR_TRY(StartTime());  // before all that can fail: closing keeps the time, which may be the wrong clock's until then
  if (!options_.read_only) MR_TRY(claim_.LoadFence());
  MR_TRY(collector_.Load());
  if (follower_) MR_TRY(follower_->Load());
  uploader_.schedule().SetListener(
      [this](const PartitionUpload& upload, const Error* error) { TellUpload(upload, error); });
  MR_ASSIGN_OR_RETURN(const auto topics, TopicCatalog(*components_.metadata).Topics());
  MR_TRY(AddTopics(topics));
  MR_TRY(RestoreProducers());
  Replay replay(registry_, [this](const auto& noted) { return ProducersAreAsNoted(noted); });
  MR_TRY(wal_.Recover(replay));
  MR_TRY(FinishProducers());
  replay.AcquitOthers();
  wal_.SetDurableListener([this](WalPosition) { housekeeper_.OnDurable(); });
  std::unordered_map<TopicId, Topic*> by_id;
  for (Topic* topic : registry_.Topics()) by_id.emplace(topic->id(), topic);
  cursors_.ForgetUnless([&](const PartitionKey& key) { return by_id.contains(key.topic); });
  for (Topic* topic : registry_.Topics())
    for (Partition* partition : topic->partitions())
      if (partition->Start()) {
        MR_TRY(cursors_.HoldTo(*partition));
        recovered_ends_[partition->key()] = partition->log().offsets().log_end;
        if (partition->log().offsets().log_end >= partition->log().ceiling()) ceiling_met_ = true;  // no append fits
      }
  if (const auto fenced = claim_.fenced()) EndWriting(*fenced);
  // Of a log that is followed, positions may lie past what is seen of it yet.
  if (!follower_)
    MR_TRY(positions_.HoldTo([&](const PartitionKey& key) -> std::optional<std::pair<TopicPartition, Offset>> {
      const auto topic = by_id.find(key.topic);
      const Partition* partition = topic == by_id.end() ? nullptr : topic->second->Find(key.partition);
      // Gone, or broken: it answers for itself, and its end is not known.
      if (partition == nullptr || !partition->CheckAlive()) return {};
      return std::pair(partition->name(), partition->bounds().end);
    }));
  MR_TRY(StartEpochs());
  (void)KeepTime(std::chrono::hours(1));  // the keeper tries again and tells
  TellRecovered();
  return {};
}

/// Their partitions are found from now on; they still have to be started. One look at metadata for all of them.
Result<void> Engine::State::AddTopics(std::span<const TopicRow> topics) {
  const TopicCatalog catalog(*components_.metadata);
  MR_ASSIGN_OR_RETURN(const auto all, catalog.AllPartitions());
  const auto topic_of = [](const PartitionRow& partition) { return partition.key.topic; };
  for (const TopicRow& row : topics) {
    const auto found = std::ranges::equal_range(all, row.id, {}, topic_of);
    auto topic = std::make_unique<Topic>(row);
    if (std::cmp_equal(found.size(), row.options.partitions)) {
      topic->Grow(std::span(found.begin(), found.end()), partition_context_);
    } else {  // another writer came between, or it is damage: this tells
      MR_ASSIGN_OR_RETURN(const auto partitions, catalog.Partitions(row.id));
      topic->Grow(partitions, partition_context_);
    }
    topic->Publish();
    registry_.Add(std::move(topic));
  }
  return {};
}

}  // namespace millrace
