// Moves data from the hot tier to the object store: one call of UploadOnce makes one object out of what is due of one
// or many partitions.
//
//   claims of uploads ─► one sweep of the WAL ─► metadata: prepare ─► store: put under a key never used before ─► proof
//         ─► turn ─► metadata: commit
//
// The proof says that whoever goes on with the log elsewhere will find the object (StoreClaim); so what metadata has as
// committed is safe without this disk. Until the commit is known nothing is acknowledged and nothing leaves the WAL; a
// crash or failure anywhere leaves at most a prepared object, which the next process takes if it arrived
// (ArrivedObjects), or else ObjectCollector removes. A damaged range is committed as a gap, which has no object and
// needs no store. No threads inside: any number may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "env/random.h"
#include "meta/metadata_rows.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "segment/object_directory.h"
#include "tier/segment_cutter.h"
#include "tier/store_claim.h"
#include "tier/trusted_time.h"
#include "tier/upload_schedule.h"
#include "tier/wal_sweep.h"

namespace millrace {

class GroupsPassed;
class TieredPartitions;

struct SegmentUploaderOptions {
  UploadScheduleOptions schedule;
  SegmentCodec codec = SegmentCodec::kLz4;
  /// Tells the time of a commit, for its rows, and outlives the uploader; none: the clock does.
  TrustedTime* time = nullptr;
  /// Called before anything is cut, until it has succeeded once: takes what an earlier process had half done
  /// (ArrivedObjects). None: nothing is.
  std::function<Result<void>()> before_first = {};
};

class SegmentUploader {
 public:
  /// `wal`: of the logs of all uploads. All of them outlive it.
  SegmentUploader(const SegmentUploaderOptions& options, Wal& wal, StoreClaim& claim, ObjectStore& objects,
                  MetadataStore& metadata, Clock& clock, Random& random);

  [[nodiscard]] UploadSchedule& schedule() { return schedule_; }
  [[nodiscard]] const UploadSchedule& schedule() const { return schedule_; }

  /// True: an attempt was made; false: nothing is due. An error is that of the attempt; its range is tried again later.
  Result<bool> UploadOnce();
  /// Everything appended before this call is in the object store when it returns. Helps with the uploading. Errors:
  /// those of a partition that failed three times meanwhile; kCorruption (a damaged range was met and recorded, the
  /// rest is uploaded).
  Result<void> UploadAll(TieredPartitions& partitions);

  [[nodiscard]] std::uint64_t objects() const { return objects_made_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_made_.load(std::memory_order_relaxed); }

 private:
  struct Part {
    UploadClaim claim;
    CutSegment cut;
    LeaderEpoch epoch;
  };
  /// Rows of topics that were asked for in one call of UploadOnce, since a thousand uploads may be of one topic.
  using RowsOfTopics = std::map<TopicId, std::vector<PartitionRow>>;
  Result<void> Begin(std::span<UploadClaim> claims);
  /// What can be taken of the claim. None, or an error: it was given back. `groups`: as they were when the call of
  /// UploadOnce began; an error: they cannot be read.
  Result<std::optional<SweptClaim>> Prepare(UploadClaim& claim, RowsOfTopics& rows, const Result<GroupsPassed>& groups);
  std::vector<Part> CutParts(std::vector<UploadClaim> claims, std::optional<Error>& error);
  std::vector<Part> TakeCuts(std::vector<Part> parts, std::span<SweptClaim> swept, std::optional<Error>& error);
  Result<void> Resync(UploadClaim& claim, RowsOfTopics& rows);
  Result<const std::vector<PartitionRow>*> RowsOf(TopicId topic, RowsOfTopics& rows);
  [[nodiscard]] std::int64_t NowMs() const;
  Result<void> Publish(std::vector<Part> parts);
  Result<void> PublishAs(const ObjectName& name, std::vector<Part> parts);
  Result<SharedBytes> DirectoryOf(const ObjectName& name, const std::vector<Part>& parts) const;
  static void AddShare(ObjectDirectory& directory, const ProducersTold& told);
  Result<void> Put(const ObjectRow& object, const std::vector<Part>& parts, const SharedBytes& directory);
  /// Parts that are gaps, and nothing else, are committed without an object.
  Result<void> Commit(const ObjectRow& object, std::vector<Part>& parts);
  void CommitLanded(const std::vector<Part>& parts, std::span<const SegmentCommit> commits,
                    std::span<const PartitionRow> rows);
  void Abandon(const ObjectRow& object);
  std::vector<SegmentCommit> Commits(const ObjectRow& object, const std::vector<Part>& parts,
                                     std::span<const std::uint64_t> begins) const;
  std::vector<PartitionUpload*> DropFenced(const std::vector<Part>& parts, const Error& error);
  void FailAll(const std::vector<Part>& parts, const Error& error, UploadSchedule::Outcome outcome);

  const SegmentUploaderOptions options_;
  Wal& wal_;
  StoreClaim& claim_;
  ObjectStore& objects_;
  MetadataStore& metadata_;
  Clock& clock_;
  UploadSchedule schedule_;
  std::atomic<bool> begun_{false};
  std::atomic<std::uint64_t> objects_made_{0}, bytes_made_{0};
};

}  // namespace millrace
