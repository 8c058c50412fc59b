#include "tier/segment_uploader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/hex.h"
#include "base/try.h"
#include "env/random_id.h"
#include "meta/segment_catalog.h"
#include "meta/topic_catalog.h"
#include "tier/forget_consumed.h"
#include "tier/segment_commit.h"
#include "tier/tiered_partition.h"

namespace millrace {
namespace {

constexpr std::size_t kIdAt = 3;  // behind "ab/"
constexpr std::size_t kIdDigits = 2 * sizeof(ObjectId);
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

}  // namespace

std::string ObjectKeyOf(std::string_view prefix, const ObjectId& id, LeaderEpoch epoch) {
  const std::string digits = ToHex(std::as_bytes(std::span(id)));
  return fmt::format("{}{}/{}-{}.obj", prefix, digits.substr(0, 2), digits, epoch.value());
}

std::optional<ObjectId> ObjectIdIn(std::string_view prefix, std::string_view key) {
  constexpr std::string_view kEnd = ".obj";
  if (!key.starts_with(prefix) || !key.ends_with(kEnd)) return {};
  std::string_view rest = key.substr(prefix.size());
  rest.remove_suffix(std::min(rest.size(), kEnd.size()));
  if (rest.size() < kIdAt + kIdDigits + 2) return {};
  const auto bytes = FromHex(rest.substr(kIdAt, kIdDigits));
  if (!bytes) return {};
  ObjectId id;
  std::memcpy(id.data(), bytes->data(), id.size());
  const std::string_view digits = rest.substr(kIdAt + kIdDigits + 1);
  std::int32_t epoch = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), epoch);
  if (parsed.ec != std::errc() || ObjectKeyOf(prefix, id, LeaderEpoch(epoch)) != key) return {};
  return id;
}

SegmentUploader::SegmentUploader(const SegmentUploaderOptions& options, ObjectStore& objects, MetadataStore& metadata,
                                 Clock& clock, Random& random)
    : options_(options),
      objects_(objects),
      metadata_(metadata),
      clock_(clock),
      random_(random),
      schedule_(options.schedule, clock, random) {}

Result<bool> SegmentUploader::UploadOnce() {
  std::vector<UploadClaim> claims = schedule_.Claim();
  if (claims.empty()) return false;
  std::vector<Part> parts, gaps;
  std::optional<Error> error;
  RowsOfTopics rows;
  for (UploadClaim& claim : claims)
    if (auto part = BuildPart(std::move(claim), rows, error))
      (part->cut.damage ? gaps : parts).push_back(std::move(*part));
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

/// Gives the claim back if there is nothing to publish of it; `error` then says why, if it was one.
std::optional<SegmentUploader::Part> SegmentUploader::BuildPart(UploadClaim claim, RowsOfTopics& rows,
                                                                std::optional<Error>& error) {
  PartitionUpload& upload = *claim.upload;
  PartitionLog& log = upload.partition().log();
  const auto fail = [&](const Error& reason, UploadSchedule::Outcome outcome) {
    error = reason;
    schedule_.Failed(claim, reason, outcome);
    return std::nullopt;
  };
  if (claim.unsure)
    if (auto known = Resync(claim, rows); !known) return fail(known.error(), UploadSchedule::Outcome::kUnknown);
  const auto durable_end = log.Sync({});
  if (!durable_end) return fail(durable_end.error(), UploadSchedule::Outcome::kKnown);
  // What all cursors have passed is not uploaded. Should this fail, it is: that costs, and does no harm.
  if (const auto forgot =
          ForgetConsumed(upload.partition(), metadata_, options_.time == nullptr ? clock_ : *options_.time);
      forgot && *forgot)
    schedule_.Resynced(claim);
  if (*durable_end <= claim.begin) {
    schedule_.Dropped(claim);
    return {};
  }
  Part part{.claim = claim, .epoch = log.epoch()};
  auto cut = CutSegmentFrom(log, claim.begin, *durable_end, claim.bytes, options_.codec);
  // Not hot any more: another call moved the bounds, and metadata knows how far.
  if (!cut) return fail(cut.error(), UploadSchedule::Outcome::kUnknown);
  part.cut = *std::move(cut);
  MR_CHECK(part.cut.segment.base == claim.begin, part.cut.segment.base.value(), claim.begin.value());
  MR_DCHECK(part.cut.segment.end <= *durable_end, part.cut.segment.end.value(), durable_end->value());
  part.claim.bytes = part.cut.raw_bytes;
  schedule_.Built(part.claim, part.cut.segment.end, claim.bytes);
  if (part.cut.damage) schedule_.Damaged(upload, *part.cut.damage);
  return part;
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
  using enum UploadSchedule::Outcome;
  MR_CHECK(!parts.empty());
  ObjectRow object{.id = RandomId(random_)};
  object.key = ObjectKeyOf(options_.key_prefix, object.id, parts.front().epoch);
  if (Planted(Bug::kTierKeyReused)) object.key = ObjectKeyOf(options_.key_prefix, ObjectId{}, parts.front().epoch);
  for (const Part& part : parts) object.size_bytes += part.cut.segment.size_bytes;
  MR_DCHECK(object.size_bytes > 0 && ObjectIdIn(options_.key_prefix, object.key) == object.id, object.key);
  object.changed_ms = NowMs();
  if (auto prepared = SegmentCatalog(metadata_).PrepareObject(object); !prepared) {
    FailAll(parts, prepared.error(), kKnown);
    return prepared.error().WithContext("preparing an upload");
  }
  if (auto put = Put(object, parts); !put) {
    const bool refused = IsRefusal(put.error());
    const Error failed = put.error().WithContext("uploading " + object.key);
    FailAll(parts, failed, refused ? kRefused : kKnown);  // whatever arrived: its key is never used again
    Abandon(object);
    return failed;
  }
  if (Planted(Bug::kTierTrimBeforeCommit))
    for (const Part& part : parts) part.claim.upload->partition().log().AdvanceTieredEnd(part.cut.segment.end);
  MR_TRY(Commit(object, parts));
  objects_made_.fetch_add(1, std::memory_order_relaxed);
  bytes_made_.fetch_add(object.size_bytes, std::memory_order_relaxed);
  return {};
}

/// If this fails, ObjectCollector does it later. Gaps have no object.
void SegmentUploader::Abandon(const ObjectRow& object) {
  if (object.id != ObjectId{}) (void)SegmentCatalog(metadata_).AbandonObject(object.id, NowMs());
}

Result<void> SegmentUploader::Put(const ObjectRow& object, const std::vector<Part>& parts) {
  std::vector<SharedBytes> pieces;
  for (const Part& part : parts)
    pieces.insert(pieces.end(), part.cut.segment.pieces.begin(), part.cut.segment.pieces.end());
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
