// Metadata in one SQLite file: WAL journal, synchronous=FULL, STRICT tables. Format: docs/format/metadata.md.
//
// Who checks what: every page read is under a CRC (SqliteVfs), every row under its own (sqlite_rows.h), the -wal file
// under a mark that knows how far it was committed (SqliteWalMark), and a listing of segments under the bounds of its
// partition's row. So a flipped bit gives the right answer or kCorruption.
//
// Threads: one connection, one mutex, and I/O under it: SQLite wants it so, and every transaction is short. What
// touches many segments goes in several, and lets other callers in between.
#pragma once

#include <filesystem>
#include <memory>

#include "base/mutex.h"
#include "millrace/file_system.h"
#include "millrace/metadata_store.h"

namespace millrace {

class SqliteDatabase;
struct StoreRow;

/// Safe from any thread.
class SqliteMetadataStore final : public MetadataStore {
 public:
  /// Creates the file (and its directory) or opens it, migrating an older one. `file_system` outlives the store. Files
  /// beside it: "-wal" while open, "-mark", "-lock". Errors: kUnavailable (held by another process, I/O), kOutOfSpace,
  /// kCorruption, kUnsupported (written by a newer release; names the version). Cost: O(1) in the number of rows.
  static Result<std::unique_ptr<SqliteMetadataStore>> Open(const std::filesystem::path& path, FileSystem& file_system);
  ~SqliteMetadataStore() override;

  Result<std::string> Identity() override;
  Result<void> SetIdentity(std::string_view identity) override;
  Result<TopicRow> CreateTopic(std::string_view name, const TopicOptions& options, std::string_view uuid,
                               std::int64_t now_ms) override;
  Result<void> AlterTopic(TopicId topic, const TopicOptions& options) override;
  Result<void> DeleteTopic(TopicId topic, std::int64_t now_ms) override;
  Result<std::vector<TopicRow>> Topics() override;
  Result<std::vector<PartitionRow>> Partitions(TopicId topic) override;
  Result<PartitionRow> AcquireEpoch(const PartitionKey& partition) override;
  Result<PartitionRow> AdvanceLogStart(const PartitionKey& partition, LeaderEpoch epoch, Offset log_start,
                                       std::int64_t now_ms) override;
  Result<void> PrepareObject(const ObjectRow& object) override;
  Result<std::vector<PartitionRow>> CommitSegments(const ObjectRow& object,
                                                   std::span<const SegmentCommit> segments) override;
  Result<std::vector<ObjectRow>> ObjectsIn(ObjectState state, std::int64_t changed_before_ms, std::size_t max) override;
  Result<void> AbandonObject(const ObjectId& id, std::int64_t now_ms) override;
  Result<void> ForgetObject(const ObjectId& id) override;
  Result<std::optional<ObjectRow>> FindObject(const ObjectId& id) override;
  Result<std::vector<SegmentRow>> Segments(const PartitionKey& partition, Offset from, std::size_t max) override;
  Result<void> CommitPositions(std::span<const PositionRow> positions) override;
  Result<std::vector<PositionRow>> Positions(std::string_view group) override;
  Result<std::vector<std::string>> Groups() override;
  Result<void> DeleteGroup(std::string_view group) override;
  Result<void> Close() override;

 private:
  SqliteMetadataStore(std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteDatabase> database);

  Result<StoreRow> FindStoreRow(std::string_view name) MR_REQUIRES(mutex_);
  Result<void> PutStoreRow(const StoreRow& row) MR_REQUIRES(mutex_);
  Result<std::optional<TopicRow>> FindTopic(TopicId topic) MR_REQUIRES(mutex_);
  Result<void> PutTopic(const TopicRow& row) MR_REQUIRES(mutex_);
  Result<void> AddPartitions(TopicId topic, std::int32_t begin, std::int32_t end) MR_REQUIRES(mutex_);
  Result<PartitionRow> GetPartition(const PartitionKey& partition) MR_REQUIRES(mutex_);
  Result<void> PutPartition(const PartitionRow& row) MR_REQUIRES(mutex_);
  Result<std::optional<ObjectRow>> GetObject(const ObjectId& id) MR_REQUIRES(mutex_);
  Result<void> PutObject(const ObjectRow& row) MR_REQUIRES(mutex_);
  Result<bool> IsReferred(const ObjectId& id) MR_REQUIRES(mutex_);
  /// Removes one segment's row, and gives up its object if that holds none any more.
  Result<void> DropSegment(const SegmentRow& segment, std::int64_t now_ms) MR_REQUIRES(mutex_);
  /// Removes some of the segments of a topic that is gone. False: that were the last.
  Result<bool> DropSomeOf(TopicId topic, std::int64_t now_ms) MR_REQUIRES(mutex_);
  /// One transaction's worth of what topics left behind. False: nothing is left.
  Result<bool> RemoveSome() MR_REQUIRES(mutex_);
  /// Moves log_start up to `log_start`, or as far as one transaction reaches.
  Result<PartitionRow> AdvanceSome(const PartitionKey& partition, LeaderEpoch epoch, Offset log_start,
                                   std::int64_t now_ms) MR_EXCLUDES(mutex_);
  Result<std::vector<SegmentRow>> ReadSegments(const PartitionKey& partition, Offset from, std::size_t max)
      MR_REQUIRES(mutex_);
  [[nodiscard]] Result<bool> HasGaps(std::span<const SegmentCommit> gaps) MR_REQUIRES(mutex_);
  Result<void> CommitPrepared(const ObjectRow& object, std::span<const SegmentCommit> segments) MR_REQUIRES(mutex_);

  Mutex mutex_;
  std::unique_ptr<FileLock> lock_ MR_GUARDED_BY(mutex_);
  const std::unique_ptr<SqliteDatabase> database_;  // guarded by mutex_
  bool removals_ MR_GUARDED_BY(mutex_) = false;     // there may be some
};

}  // namespace millrace
