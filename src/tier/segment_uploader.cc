#include "tier/segment_uploader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "meta/segment_catalog.h"
#include "meta/topic_catalog.h"
#include "segment/object_directory.h"
#include "tier/forget_consumed.h"
#include "tier/groups_passed.h"
#include "tier/offset_ceiling.h"
#include "tier/segment_commit.h"
#include "tier/tiered_partition.h"

namespace millrace {
namespace {

constexpr std::size_t kSegmentsPage = 1'000;
constexpr std::uint64_t kFailuresTold = 3;  // UploadAll gives up on a partition that failed so often meanwhile

/// Whether the store would say the same to every repetition, so that waiting for it is of no use.
bool IsRefusal(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kClosed:      // we end, not the store
    case ErrorCode::kOutOfSpace:  // room may come
    case ErrorCode::kTimeout:
      return false;
    default:
      return !error.retryable();
  }
}

UploadSchedule::Outcome OutcomeOf(const Error& error) {
  return IsRefusal(error) ? UploadSchedule::Outcome::kRefused : UploadSchedule::Outcome::kKnown;
}

/// Topics of the claims whose entries go when all have read them.
std::vector<TopicId> ConsumedTopics(std::span<const UploadClaim> claims) {
  std::vector<TopicId> topics;
  for (const UploadClaim& claim : claims) {
    TieredPartition& partition = claim.upload->partition();
    if (partition.options().cleanup == Cleanup::kConsumed) topics.push_back(partition.log().key().topic);
  }
  return topics;
}

}  // namespace

SegmentUploader::SegmentUploader(const SegmentUploaderOptions& options, Wal& wal, StoreClaim& claim,
                                 ObjectStore& objects, MetadataStore& metadata, Clock& clock, Random& random)
    : options_(options),
      wal_(wal),
      claim_(claim),
      objects_(objects),
      metadata_(metadata),
      clock_(clock),
      schedule_(options.schedule, clock, random) {}

Result<bool> SegmentUploader::UploadOnce() {
  const bool begun = begun_.load(std::memory_order_acquire);  // before the claims: these know what it did
  std::vector<UploadClaim> claims = schedule_.Claim();
  if (claims.empty()) return false;
  if (!begun) MR_TRY(Begin(claims));
  std::optional<Error> error;
  std::vector<Part> parts, gaps;
  for (Part& part : CutParts(std::move(claims), error)) (part.cut.damage ? gaps : parts).push_back(std::move(part));
  const auto note = [&](const Result<void>& done) {
    if (!done && !error) error = done.error();
  };
  if (Planted(Bug::kTierGapNotCommitted)) {
    for (const Part& gap : std::exchange(gaps, {})) {
      gap.claim.upload->partition().log().AdvanceTieredEnd(gap.cut.segment.end);
      schedule_.OnTieredEnd(*gap.claim.upload, gap.cut.segment.end);
      schedule_.Landed(gap.claim);
    }
  }
  if (!gaps.empty()) note(Commit({}, gaps));  // first: they need no store, which may be what fails
  if (!parts.empty()) note(Publish(std::move(parts)));
  if (error) return *std::move(error);
  return true;
}

/// What an earlier process had put already is not put again: the claims go on behind it.
Result<void> SegmentUploader::Begin(std::span<UploadClaim> claims) {
  const Result<void> ready = options_.before_first ? options_.before_first() : Result<void>();
  for (UploadClaim& claim : claims) {
    if (!ready) {
      schedule_.Failed(claim, ready.error(), OutcomeOf(ready.error()));
    } else if (!claim.unsure) {
      schedule_.Resynced(claim);
    }
  }
  if (!ready) return ready.error().WithContext("before the first upload");
  begun_.store(true, std::memory_order_release);
  return {};
}

Result<std::optional<SweptClaim>> SegmentUploader::Prepare(UploadClaim& claim, RowsOfTopics& rows,
                                                           const Result<GroupsPassed>& groups) {
  PartitionUpload& upload = *claim.upload;
  PartitionLog& log = upload.partition().log();
  if (claim.unsure)
    if (auto known = Resync(claim, rows); !known) {
      schedule_.Failed(claim, known.error(), UploadSchedule::Outcome::kUnknown);
      return known.error();
    }
  const auto durable_end = log.Sync({});
  if (!durable_end) {
    schedule_.Failed(claim, durable_end.error(), UploadSchedule::Outcome::kKnown);
    return durable_end.error();
  }
  // What all cursors and groups have passed is not uploaded. Should this fail, it is: that costs, and does no harm.
  if (groups) {
    Clock& clock = options_.time == nullptr ? clock_ : *options_.time;
    const auto forgot = ForgetConsumed(upload.partition(), *groups, metadata_, clock);
    if (forgot && *forgot) schedule_.Resynced(claim);
  }
  if (*durable_end <= claim.begin) {
    schedule_.Dropped(claim);
    return std::optional<SweptClaim>();
  }
  SweptClaim swept{.log = &log, .begin = claim.begin, .end = *durable_end, .first = claim.demanded};
  if (const auto share = log.ShareOf(claim.begin, claim.until)) swept.end = std::min(swept.end, share->end);
  return std::optional(swept);
}

/// What came of the claims; those of which nothing came are given back. `error`: one of why.
std::vector<SegmentUploader::Part> SegmentUploader::CutParts(std::vector<UploadClaim> claims,
                                                             std::optional<Error>& error) {
  std::vector<Part> parts;
  std::vector<SweptClaim> swept;
  std::uint64_t demanded_bytes = 0;
  RowsOfTopics rows;
  const Result<GroupsPassed> groups = GroupsPassed::Read(metadata_, ConsumedTopics(claims));
  for (UploadClaim& claim : claims) {
    auto prepared = Prepare(claim, rows, groups);
    if (!prepared) {
      error = prepared.error();
    } else if (*prepared) {
      demanded_bytes += claim.demanded ? claim.bytes : 0;
      parts.push_back({.claim = claim, .epoch = (*prepared)->log->epoch()});
      swept.push_back(**std::move(prepared));
    }
  }
  const std::uint64_t bytes_max = options_.schedule.segment_bytes_max;
  SweepWal(wal_, swept,
           {.bytes_max = bytes_max,
            .others_bytes_max = bytes_max - std::min(bytes_max, demanded_bytes),
            .codec = options_.codec});
  return TakeCuts(std::move(parts), swept, error);
}

std::vector<SegmentUploader::Part> SegmentUploader::TakeCuts(std::vector<Part> parts, std::span<SweptClaim> swept,
                                                             std::optional<Error>& error) {
  std::vector<Part> taken;
  std::vector<UploadShare> shares;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    UploadClaim& claim = parts[i].claim;
    if (swept[i].error) {
      error = swept[i].error;
      // Not hot any more: another call moved the bounds, and metadata knows how far.
      schedule_.Failed(claim, *swept[i].error, UploadSchedule::Outcome::kUnknown);
      continue;
    }
    UploadShare& share = shares.emplace_back(UploadShare{.claim = claim, .end = {}, .expected_bytes = claim.bytes});
    if (!swept[i].cut) continue;  // the round was full before its turn
    parts[i].cut = *std::move(swept[i].cut);
    const BuiltSegment& segment = parts[i].cut.segment;
    MR_CHECK(segment.base == claim.begin, segment.base.value(), claim.begin.value());
    MR_DCHECK(segment.end <= swept[i].end, segment.end.value(), swept[i].end.value());
    share.claim.bytes = claim.bytes = parts[i].cut.raw_bytes;
    share.end = segment.end;
    taken.push_back(std::move(parts[i]));
  }
  schedule_.EndRound(shares);
  for (const Part& part : taken)
    if (part.cut.damage) schedule_.Damaged(*part.claim.upload, *part.cut.damage);
  return taken;
}

/// After an unknown outcome: what metadata has of this partition by now.
Result<void> SegmentUploader::Resync(UploadClaim& claim, RowsOfTopics& known) {
  TieredPartition& partition = claim.upload->partition();
  const PartitionKey& key = partition.log().key();
  MR_ASSIGN_OR_RETURN(const auto* rows, RowsOf(key.topic, known));
  const auto row = std::ranges::lower_bound(*rows, key, {}, &PartitionRow::key);
  if (row == rows->end() || row->key != key)
    return Error(ErrorCode::kNotFound, "the partition is not in metadata any more");
  MR_ASSIGN_OR_RETURN(const auto segments, SegmentCatalog(metadata_).Segments(key, claim.begin, kSegmentsPage));
  for (const SegmentRow& segment : segments)
    if (segment.base >= claim.begin) partition.OnSegment(segment);
  partition.OnRow(*row);
  schedule_.Resynced(claim);
  return {};
}

Result<const std::vector<PartitionRow>*> SegmentUploader::RowsOf(TopicId topic, RowsOfTopics& rows) {
  if (const auto found = rows.find(topic); found != rows.end()) return &found->second;
  MR_ASSIGN_OR_RETURN(auto read, TopicCatalog(metadata_).Partitions(topic));
  return &rows.emplace(topic, std::move(read)).first->second;
}

std::int64_t SegmentUploader::NowMs() const {
  return options_.time == nullptr ? clock_.WallMs() : options_.time->WallMs();
}

Result<void> SegmentUploader::Publish(std::vector<Part> parts) {
  MR_CHECK(!parts.empty());
  const auto name = claim_.Begin();
  if (!name) {
    FailAll(parts, name.error(), OutcomeOf(name.error()));
    return name.error().WithContext("claiming the object store for an upload");
  }
  auto published = PublishAs(*name, std::move(parts));
  claim_.Settle(*name);
  return published;
}

Result<void> SegmentUploader::PublishAs(const ObjectName& name, std::vector<Part> parts) {
  using enum UploadSchedule::Outcome;
  const auto fail = [&](const Error& error, UploadSchedule::Outcome outcome) {
    FailAll(parts, error, outcome);
    return error;
  };
  ObjectRow object{.id = ObjectIdOf(name), .key = claim_.keys().Object(name)};
  if (Planted(Bug::kTierKeyReused)) object.key = claim_.keys().Object({});
  for (const Part& part : parts) object.size_bytes += part.cut.segment.size_bytes;
  MR_DCHECK(object.size_bytes > 0, object.key);
  const std::uint64_t segment_bytes = object.size_bytes;
  const auto directory = DirectoryOf(name, parts);
  if (!directory) return fail(directory.error(), kKnown).WithContext("describing an upload");
  object.size_bytes += directory->size();
  object.changed_ms = NowMs();
  if (auto prepared = SegmentCatalog(metadata_).PrepareObject(object); !prepared)
    return fail(prepared.error(), kKnown).WithContext("preparing an upload");
  auto put = Put(object, parts, *directory);
  // What the store has is not enough: all who go on with the log have to see it.
  if (put) put = claim_.Prove();
  if (!put) {
    const Error failed = put.error().WithContext("uploading " + object.key);
    FailAll(parts, failed, OutcomeOf(failed));  // whatever arrived: its key is never used again
    Abandon(object);
    return failed;
  }
  if (Planted(Bug::kTierTrimBeforeCommit))
    for (const Part& part : parts) part.claim.upload->partition().log().AdvanceTieredEnd(part.cut.segment.end);
  MR_TRY(Commit(object, parts));
  objects_made_.fetch_add(1, std::memory_order_relaxed);
  bytes_made_.fetch_add(segment_bytes, std::memory_order_relaxed);
  return {};
}

/// What the object says of itself. A topic that is gone by now is not in it.
Result<SharedBytes> SegmentUploader::DirectoryOf(const ObjectName& name, const std::vector<Part>& parts) const {
  ObjectDirectory directory{.identity = StoredIdOf(claim_.keys().identity()),
                            .generation = name.generation,
                            .nonce = name.nonce,
                            .sequence = name.sequence,
                            .settled = claim_.settled(),
                            .written_ms = NowMs()};  // before topics are read: by it they are told from older ones
  std::map<TopicId, std::uint32_t> numbers;
  std::vector<MetadataKey> keys;
  for (const Part& part : parts) {
    const TopicId topic = part.claim.upload->partition().log().key().topic;
    if (numbers.emplace(topic, 0).second) keys.emplace_back(TopicKey{topic});
  }
  MR_ASSIGN_OR_RETURN(const auto rows, metadata_.Get(keys));
  numbers.clear();
  for (const auto& row : rows) {
    if (!row) continue;
    const auto& topic = std::get<TopicRow>(*row);
    numbers.emplace(topic.id, static_cast<std::uint32_t>(directory.topics.size()));
    directory.topics.push_back({.uuid = StoredIdOf(topic.uuid),
                                .number = topic.id,
                                .created_ms = topic.created_ms,
                                .options = topic.options,
                                .name = topic.name});
  }
  std::uint64_t begin = 0;
  for (const Part& part : parts) {
    const PartitionLog& log = part.claim.upload->partition().log();
    const BuiltSegment& segment = part.cut.segment;
    const auto topic = numbers.find(log.key().topic);
    const bool known =
        topic != numbers.end() && log.key().partition.value() < directory.topics[topic->second].options.partitions;
    if (known) {
      const PartitionOffsets at = log.offsets();
      directory.entries.push_back({.topic = topic->second,
                                   .partition = log.key().partition,
                                   .epoch = part.epoch,
                                   .byte_begin = begin,
                                   .byte_size = segment.size_bytes,
                                   .base = segment.base,
                                   .end = segment.end,
                                   .records = segment.records,
                                   .timestamp_min_ms = segment.timestamp_min_ms,
                                   .timestamp_max_ms = segment.timestamp_max_ms,
                                   .log_start = at.log_start,
                                   .ceiling = CeilingOver(at.log_end)});
      AddShare(directory, segment.producers);
    }
    begin += segment.size_bytes;
  }
  return SharedBytes::Copy(EncodeObjectDirectory(directory));
}

/// Of the last entry. There is room for so many producers in all; what is left out is said.
void SegmentUploader::AddShare(ObjectDirectory& directory, const ProducersTold& told) {
  if (told.empty()) return;
  std::size_t taken = 0;
  for (const DirectoryShare& share : directory.shares) taken += share.told.producers.size();
  DirectoryShare share{.entry = static_cast<std::uint32_t>(directory.entries.size() - 1), .told = told};
  KeepLatest(share.told, kProducersMax - std::min(kProducersMax, taken));
  directory.shares.push_back(std::move(share));
}

/// If this fails, ObjectCollector does it later. Gaps have no object.
void SegmentUploader::Abandon(const ObjectRow& object) {
  if (object.id != ObjectId{}) (void)SegmentCatalog(metadata_).AbandonObject(object.id, NowMs());
}

Result<void> SegmentUploader::Put(const ObjectRow& object, const std::vector<Part>& parts,
                                  const SharedBytes& directory) {
  std::vector<SharedBytes> pieces;
  for (const Part& part : parts)
    pieces.insert(pieces.end(), part.cut.segment.pieces.begin(), part.cut.segment.pieces.end());
  pieces.push_back(directory);
  std::uint64_t bytes = 0;
  for (const SharedBytes& piece : pieces) bytes += piece.size();
  MR_CHECK(bytes == object.size_bytes, object.key, bytes, object.size_bytes);
  return objects_.Put(object.key, pieces, PutMode::kOverwrite);
}

std::vector<SegmentCommit> SegmentUploader::Commits(const ObjectRow& object, const std::vector<Part>& parts,
                                                    std::span<const std::uint64_t> begins) const {
  MR_CHECK(parts.size() == begins.size(), parts.size(), begins.size());
  std::vector<SegmentCommit> commits;
  const std::int64_t now_ms = options_.time == nullptr ? clock_.WallMs() : options_.time->CommitMs();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const BuiltSegment& segment = parts[i].cut.segment;
    MR_CHECK(begins[i] + segment.size_bytes <= object.size_bytes, begins[i], segment.size_bytes, object.size_bytes);
    MR_CHECK((object.id == ObjectId{}) == parts[i].cut.damage.has_value(), object.key, segment.base.value());
    commits.push_back({.segment = {.partition = parts[i].claim.upload->partition().log().key(),
                                   .base = segment.base,
                                   .end = segment.end,
                                   .object = object.id,
                                   .byte_begin = begins[i],
                                   .byte_size = segment.size_bytes,
                                   .records = segment.records,
                                   .timestamp_min_ms = segment.timestamp_min_ms,
                                   .timestamp_max_ms = segment.timestamp_max_ms,
                                   .committed_ms = now_ms},
                       .epoch = parts[i].epoch});
  }
  return commits;
}

Result<void> SegmentUploader::Commit(const ObjectRow& object, std::vector<Part>& parts) {
  using enum UploadSchedule::Outcome;
  std::vector<std::uint64_t> begins;
  std::uint64_t begin = 0;
  for (const Part& part : parts) {
    begins.push_back(begin);
    begin += part.cut.segment.size_bytes;
  }
  std::vector<UploadClaim> claims;
  for (const Part& part : parts) claims.push_back(part.claim);
  schedule_.AwaitTurn(claims);
  const auto keep = [&](const auto& kept) {  // the bytes of the others stay in the object, but no row refers to them
    std::size_t to = 0;
    for (std::size_t from = 0; from < parts.size(); ++from) {
      if (!kept(parts[from])) continue;
      if (to != from) parts[to] = std::move(parts[from]);
      begins[to++] = begins[from];
    }
    parts.resize(to);
    begins.resize(to);
  };
  keep([&](const Part& part) {
    return std::ranges::find(claims, part.claim.upload, &UploadClaim::upload) != claims.end();
  });
  while (!parts.empty()) {
    std::vector<SegmentCommit> commits = Commits(object, parts, begins);
    if (Planted(Bug::kTierNoEpochInCommit))
      for (SegmentCommit& commit : commits)
        if (auto now = TopicCatalog(metadata_).Partitions(commit.segment.partition.topic))
          commit.epoch = (*now)[static_cast<std::size_t>(commit.segment.partition.partition.value())].epoch;
    auto rows = CommitAndKnow(metadata_, object, commits);
    if (rows) {
      CommitLanded(parts, commits, *rows);
      return {};
    }
    if (rows.error().code() == ErrorCode::kFenced) {
      const std::size_t before = parts.size();
      std::vector<PartitionUpload*> fenced = DropFenced(parts, rows.error());
      keep([&](const Part& part) { return std::ranges::find(fenced, part.claim.upload) == fenced.end(); });
      if (parts.size() < before) continue;
    }
    const Error error = rows.error().WithContext("committing " + (object.key.empty() ? "a gap" : object.key));
    const bool known = CommitIsKnown(error);
    FailAll(parts, error, known && error.code() != ErrorCode::kOutOfRange ? kKnown : kUnknown);
    if (known) Abandon(object);
    return error;
  }
  Abandon(object);  // no part is left to commit in it
  return {};
}

void SegmentUploader::CommitLanded(const std::vector<Part>& parts, std::span<const SegmentCommit> commits,
                                   std::span<const PartitionRow> rows) {
  MR_CHECK(commits.size() == parts.size() && rows.size() == parts.size(), parts.size(), commits.size(), rows.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    TieredPartition& partition = parts[i].claim.upload->partition();
    MR_DCHECK(rows[i].key == commits[i].segment.partition && rows[i].tiered_end >= commits[i].segment.end,
              rows[i].tiered_end.value(), commits[i].segment.end.value());
    partition.OnSegment(commits[i].segment);
    partition.OnRow(rows[i]);
    // The object's directory told at least this much.
    if (!commits[i].segment.is_gap()) partition.log().RaiseCeiling(CeilingOver(commits[i].segment.end));
    schedule_.Landed(parts[i].claim);
  }
}

/// Ends those whose partition has another owner by now; when metadata cannot be asked, none.
std::vector<PartitionUpload*> SegmentUploader::DropFenced(const std::vector<Part>& parts, const Error& error) {
  std::vector<PartitionUpload*> fenced;
  for (const Part& part : parts) {
    PartitionLog& log = part.claim.upload->partition().log();
    const auto rows = TopicCatalog(metadata_).Partitions(log.key().topic);
    if (!rows && rows.error().code() != ErrorCode::kNotFound) continue;
    const bool ours = rows && std::ranges::any_of(*rows, [&](const PartitionRow& row) {
                        return row.key == log.key() && row.epoch == part.epoch;
                      });
    if (ours) continue;
    schedule_.Dropped(part.claim);
    schedule_.EndUpload(*part.claim.upload, error);
    log.Interrupt(error);
    fenced.push_back(part.claim.upload);
  }
  return fenced;
}

void SegmentUploader::FailAll(const std::vector<Part>& parts, const Error& error, UploadSchedule::Outcome outcome) {
  for (const Part& part : parts) {
    if (Planted(Bug::kTierFailedUploadForgetsRange)) {
      part.claim.upload->partition().log().AdvanceTieredEnd(part.cut.segment.end);
      schedule_.OnTieredEnd(*part.claim.upload, part.cut.segment.end);
    }
    schedule_.Failed(part.claim, error, outcome);
  }
}

Result<void> SegmentUploader::UploadAll(TieredPartitions& partitions) {
  struct Target {
    PartitionUpload* upload;
    Offset end;
    UploadSchedule::UploadState before;
  };
  std::vector<Target> targets;
  std::vector<UploadDemand> demands;
  partitions.ForEach([&](TieredPartition& partition) {
    const Offset end = partition.log().offsets().log_end;
    PartitionUpload& upload = partition.upload();
    targets.push_back({&upload, end, schedule_.State(upload)});
    demands.push_back({.upload = &upload, .end = end});
  });
  schedule_.DemandAll(demands);
  std::optional<Error> damage;
  while (!targets.empty()) {
    const std::uint64_t seen = schedule_.changes();
    std::optional<Error> failed;
    std::erase_if(targets, [&](const Target& target) {
      const auto now = schedule_.State(*target.upload);
      MR_CHECK(now.committed_end >= target.before.committed_end && now.failures_ever >= target.before.failures_ever,
               now.committed_end.value(), target.before.committed_end.value(), now.failures_ever);
      if (now.damages_ever != target.before.damages_ever) damage = now.damage;
      if (now.committed_end >= target.end) return true;
      if (now.ended && now.ended->code() == ErrorCode::kNotFound) return true;  // its topic was deleted
      if (now.ended) failed = now.ended;
      if (now.refusals_ever != target.before.refusals_ever) failed = now.last_error;
      if (now.failures_ever - target.before.failures_ever >= kFailuresTold) failed = now.last_error;
      return false;
    });
    if (failed) return *failed;
    if (targets.empty()) break;
    if (const auto did = UploadOnce(); did && !*did) schedule_.AwaitChange(seen);
  }
  if (damage) return damage->WithContext("uploaded all but a damaged range");
  return {};
}

}  // namespace millrace
