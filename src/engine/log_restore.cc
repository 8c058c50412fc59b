#include "engine/log_restore.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "engine/engine_marker.h"
#include "engine/kept_time.h"
#include "engine/option_check.h"
#include "engine/partition.h"
#include "engine/small_file.h"
#include "log/producer_checkpoint.h"
#include "meta/home_catalog.h"
#include "meta/open_metadata_store.h"
#include "meta/topic_rules.h"
#include "store/open_object_store.h"
#include "store/retrying_object_store.h"
#include "tier/snapshot_format.h"

namespace millrace {
namespace {

constexpr std::size_t kRowsAtOnce = 5'000;

std::string HostName() {
  char host[256] = {};
  (void)::gethostname(host, sizeof host - 1);
  return host;
}

/// Whether more lies there than a restore that died has written.
Result<bool> HoldsWal(FileSystem& file_system, const DataLayout& layout) {
  const auto entries = file_system.List(layout.wal);
  if (!entries && entries.error().code() == ErrorCode::kNotFound) return false;
  if (!entries) return entries.error();
  return std::ranges::any_of(
      *entries, [](const DirectoryEntry& entry) { return !entry.name.starts_with(kProducerCheckpointName); });
}

/// Nothing of a log may lie there, but for what a restore left that died.
Result<void> CheckEmpty(FileSystem& file_system, const DataLayout& layout) {
  const auto entries = file_system.List(layout.root);
  if (!entries) return entries.error();
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(*entries, [&](const DirectoryEntry& entry) { return entry.name == name; });
  };
  MR_ASSIGN_OR_RETURN(const bool wal, HoldsWal(file_system, layout));
  const bool metadata = has("metadata.db") && !has(kRestoreUnfinished);
  if (!has(layout.marker.filename().string()) && !wal && !metadata) return {};
  return Error(ErrorCode::kAlreadyExists, fmt::format("{} holds a log, or a part of one", layout.root.string()),
               "restore into a directory that is empty or not there yet");
}

/// What an earlier restore left.
Result<void> ClearUnfinished(FileSystem& file_system, const DataLayout& layout) {
  MR_ASSIGN_OR_RETURN(const auto entries, file_system.List(layout.root));
  for (const DirectoryEntry& entry : entries)
    if (entry.name.starts_with("metadata.db") && !entry.is_directory)
      MR_TRY(file_system.Remove(layout.root / entry.name));
  return {};
}

class Restore {
 public:
  Restore(const EngineOptions& options, const DataLayout& layout, const Components& machine,
          const RestoreOptions& restore)
      : options_(options), layout_(layout), machine_(machine), restore_(restore) {}

  Result<RestoreReport> Run() {
    MR_TRY(OpenObjects());
    MR_ASSIGN_OR_RETURN(const LogText log, ReadLogText(*objects_, layout_.key_prefix));
    keys_.emplace(layout_.key_prefix, log.identity);
    const SurveyOptions survey{.key_prefix = layout_.key_prefix,
                               .requests_at_once = restore_.requests_at_once,
                               .on_progress = restore_.on_progress};
    MR_ASSIGN_OR_RETURN(auto claims, ReadClaims(*objects_, survey, *keys_));
    if (claims.empty())
      return Error(ErrorCode::kUnsupported,
                   fmt::format("nobody has claimed {} yet: an earlier release wrote there, whose objects do not say "
                               "what is in them",
                               objects_->Describe()),
                   "open the log with this release where its metadata is, and let it write once");
    if (claims.back().how == ClaimText::How::kMovedTo)
      return Error(ErrorCode::kFenced,
                   fmt::format("the log has moved from {} to {} (generation {}, by {})", objects_->Describe(),
                               claims.back().place, claims.back().generation, claims.back().host),
                   "restore it from there");
    std::optional<Generation> released;
    if (claims.back().how == ClaimText::How::kReleases)
      released = Generation{claims.back().generation, claims.back().nonce};
    report_.last_host = claims.back().host;
    report_.last_claim_ms = claims.back().at_ms;
    report_.generation = claims.back().generation;
    if (!restore_.dry_run) MR_TRY(Claim(claims));
    MR_ASSIGN_OR_RETURN(LogSurvey found, SurveyLog(*objects_, survey, log, std::move(claims)));
    found.released = released;
    const std::int64_t now_ms = machine_.clock->WallMs();
    LinkedLog linked = LinkLog(found, now_ms);
    Report(found, linked);
    if (restore_.dry_run) return std::move(report_);
    Own(linked);
    MR_TRY(Write(linked));
    MR_TRY(PutSnapshot(linked, now_ms));
    MR_TRY(KeepProducers(linked));
    MR_TRY(Finish(found));
    return std::move(report_);
  }

 private:
  Result<void> OpenObjects() {
    std::shared_ptr<ObjectStore> store = options_.objects;
    if (!store) {
      const std::string& url = options_.object_store;
      if (url.empty() || url == "file:" || url == "memory:")
        return Error(ErrorCode::kInvalidArgument, "no object store is named in which a log could lie",
                     "name it by URL: file:///PATH or s3://BUCKET/PREFIX");
      MR_ASSIGN_OR_RETURN(store,
                          OpenObjectStore(url, layout_.root, *machine_.file_system, *machine_.clock, *machine_.random));
    }
    objects_ = std::make_shared<RetryingObjectStore>(std::move(store), RetryOptions{}, *machine_.clock,
                                                     *machine_.random, restore_.pause);
    return {};
  }

  /// From here on whoever wrote there before cannot acknowledge, recycle or delete anything any more.
  Result<void> Claim(std::vector<ClaimText>& claims) {
    ClaimText claim{.identity = keys_->identity(),
                    .generation = claims.back().generation + 1,
                    .nonce = static_cast<std::uint32_t>(machine_.random->Next()),
                    .how = ClaimText::How::kTakesOver,
                    .nonce_before = claims.back().nonce,
                    .host = HostName(),
                    .at_ms = machine_.clock->WallMs()};
    const std::string text = Encode(claim), key = keys_->Claim(claim.generation);
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(text));
    const Error raced(ErrorCode::kFenced,
                      fmt::format("{} goes on with this log, or takes it over, at this moment: claim {} is taken",
                                  objects_->Describe(), claim.generation),
                      "stop what writes there, or let it go on");
    if (auto put = objects_->Put(key, {&bytes, 1}, PutMode::kIfAbsent); !put)
      return put.error().code() == ErrorCode::kAlreadyExists ? raced : put.error();
    MR_ASSIGN_OR_RETURN(const SharedBytes now, objects_->Get(key, {0, kClaimBytesMax}));
    if (AsText(now) != text) return raced;
    report_.generation = claim.generation;
    claimed_ = {claim.generation, claim.nonce};
    claims.push_back(std::move(claim));
    return {};
  }

  void Report(const LogSurvey& found, const LinkedLog& linked) {
    report_.identity = found.log.identity;
    report_.home = options_.object_store;
    report_.snapshot_ms = found.snapshot ? found.snapshot->head.written_ms : 0;
    report_.topics = linked.topics.size();
    report_.partitions = linked.partitions.size();
    report_.segments = static_cast<std::uint64_t>(
        std::ranges::count_if(linked.segments, [](const SegmentRow& segment) { return !segment.is_gap(); }));
    report_.records = linked.records;
    for (const SegmentRow& segment : linked.segments) report_.bytes += segment.byte_size;
    report_.positions = linked.positions.size();
    report_.linked = linked.linked;
    report_.unlinked = linked.unlinked;
    report_.producers = linked.producers.size();
    report_.lost = linked.lost;
    report_.unusable = found.unusable;
  }

  /// What makes the rows this directory's.
  void Own(LinkedLog& linked) const {
    if (!options_.object_store.empty())
      linked.store.push_back({.name = std::string(kHomeName), .text = options_.object_store});
    linked.store.push_back(
        {.name = std::string(kClaimName), .number = claimed_.number, .text = fmt::format("{:08x}", claimed_.nonce)});
    linked.store.push_back({.name = std::string(kTakenOverName), .number = claimed_.number});
  }

  template <class Rows>
  Result<void> WriteTable(const Rows& rows) {
    std::vector<MetadataWrite> writes;
    for (std::size_t at = 0; at < rows.size();) {
      writes.clear();
      for (; at < rows.size() && writes.size() < kRowsAtOnce; ++at)
        writes.push_back({MetadataWrite::Kind::kInsert, rows[at]});
      MR_ASSIGN_OR_RETURN(const auto committed, metadata_->Commit({}, writes));
      if (!committed) return Error(ErrorCode::kAlreadyExists, "metadata: there are rows already");
    }
    return {};
  }

  Result<void> Write(const LinkedLog& linked) {
    FileSystem& files = *machine_.file_system;
    metadata_ = options_.metadata;
    if (!metadata_) {
      MR_TRY(ReplaceSmallFile(files, layout_.root / kRestoreUnfinished, "a restore is under way, or has died\n"));
      MR_TRY(ClearUnfinished(files, layout_));
      MR_ASSIGN_OR_RETURN(metadata_,
                          OpenMetadataStore(options_.metadata_store, layout_.root, files, machine_.clock.get()));
    }
    MR_TRY(WriteTable(linked.topics));
    MR_TRY(WriteTable(linked.partitions));
    MR_TRY(WriteTable(linked.segments));
    MR_TRY(WriteTable(linked.objects));
    MR_TRY(WriteTable(linked.positions));
    MR_TRY(WriteTable(linked.epochs));
    MR_TRY(WriteTable(linked.groups));
    MR_TRY(WriteTable(linked.members));
    MR_TRY(WriteTable(linked.store));
    return options_.metadata ? Result<void>() : metadata_->Close();
  }

  /// Before anything is appended: whoever takes over from this directory begins above what this one may give.
  Result<void> PutSnapshot(const LinkedLog& linked, std::int64_t now_ms) {
    SnapshotBuilder builder({.identity = StoredIdOf(keys_->identity()),
                             .generation = claimed_.number,
                             .nonce = claimed_.nonce,
                             .change = 0,
                             .settled = 0,
                             .written_ms = now_ms});
    for (const StoreRow& row : linked.store) builder.Add(row);
    for (const TopicRow& row : linked.topics) builder.Add(row);
    for (const PartitionRow& row : linked.partitions) builder.Add(row);
    for (const EpochRow& row : linked.epochs) builder.Add(row);
    for (const SegmentRow& row : linked.segments) builder.Add(row);
    for (const ObjectRow& row : linked.objects) builder.Add(row);
    for (const PositionRow& row : linked.positions) builder.Add(row);
    for (const GroupRow& row : linked.groups) builder.Add(row);
    for (const GroupMemberRow& row : linked.members) builder.Add(row);
    for (const KnownProducer& producer : linked.producers) builder.AddProducer(producer);
    const std::string key = keys_->Snapshot({.generation = claimed_.number, .nonce = claimed_.nonce});
    MR_TRY(objects_->Put(key, builder.Finish(), PutMode::kOverwrite));
    const auto successor = objects_->Get(keys_->Claim(claimed_.number + 1), {0, 1});
    if (!successor && successor.error().code() == ErrorCode::kNotFound) return {};
    if (!successor) return successor.error();
    return Error(ErrorCode::kFenced, "another restore of this log came after this one", "let that one go on");
  }

  /// As if their frames had been here and were recycled: the opening takes it up like any checkpoint.
  Result<void> KeepProducers(const LinkedLog& linked) {
    FileSystem& files = *machine_.file_system;
    if (linked.producers.empty()) {  // nor may be believed what an earlier restore left that died
      auto removed = files.Remove(layout_.wal / kProducerCheckpointName);
      return removed || removed.error().code() == ErrorCode::kNotFound ? Result<void>() : removed;
    }
    ProducerCheckpoint checkpoint;
    for (const KnownProducer& known : linked.producers)
      checkpoint.states.push_back({.stream = Partition::StreamOf(known.partition),
                                   .window = known.window,
                                   .wal_end = {},
                                   .touched_ms = known.touched_ms});
    MR_TRY(files.CreateDirectories(layout_.wal));
    auto written = WriteProducerCheckpoint(files, layout_.wal, checkpoint);
    if (!written) return written.error().WithContext("cannot keep what is known of producers");
    return {};
  }

  Result<void> Finish(const LogSurvey& found) {
    FileSystem& files = *machine_.file_system;
    // What the log knew of the time: a clock that is far ahead of it shall delete nothing for its age.
    std::int64_t latest_ms = found.snapshot ? found.snapshot->head.written_ms : 0;
    for (const FoundObject& object : found.objects) latest_ms = std::max(latest_ms, object.directory.written_ms);
    if (latest_ms > 0) MR_TRY(WriteKeptTime(files, layout_.time, latest_ms));
    MR_TRY(WriteEngineMarker(files, layout_.marker, keys_->identity()));
    auto removed = files.Remove(layout_.root / kRestoreUnfinished);
    if (!removed && removed.error().code() != ErrorCode::kNotFound) return removed;
    return {};
  }

  const EngineOptions& options_;
  const DataLayout& layout_;
  const Components& machine_;
  const RestoreOptions& restore_;
  std::shared_ptr<ObjectStore> objects_;
  std::shared_ptr<MetadataStore> metadata_;
  std::optional<StoreKeys> keys_;
  Generation claimed_;
  RestoreReport report_;
};

}  // namespace

Result<RestoreReport> RestoreInto(const EngineOptions& options, const DataLayout& layout, const Components& machine,
                                  const RestoreOptions& restore) {
  if (!restore.dry_run) MR_TRY(CheckEmpty(*machine.file_system, layout));
  return Restore(options, layout, machine, restore).Run();
}

Result<RestoreReport> RestoreLog(EngineOptions options, const RestoreOptions& restore) {
  MR_TRY(CheckEngineOptions(options));
  MR_TRY(Components::CheckUrls(options));
  MR_TRY(DataLayout::MakeAbsolute(options));
  const DataLayout layout = DataLayout::Of(options);
  Components machine = Components::Machine(options);
  if (restore.random) machine.random = restore.random;
  if (restore.dry_run) return RestoreInto(options, layout, machine, restore);
  MR_TRY(machine.file_system->CreateDirectories(layout.root));
  auto lock = machine.file_system->Lock(layout.lock, "a restore");
  if (!lock) return lock.error().WithContext("cannot restore into " + layout.root.string());
  return RestoreInto(options, layout, machine, restore);
}

}  // namespace millrace
