// Metadata in memory: for tests, for the simulator, and for engines that shall leave nothing behind.
#pragma once

#include <map>
#include <string>

#include "base/mutex.h"
#include "millrace/metadata_store.h"

namespace millrace {

/// Safe from any thread.
class MemoryMetadataStore : public MetadataStore {
 public:
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
  struct Partition {
    PartitionRow row;
    std::map<Offset, SegmentRow> segments;  // by base
  };
  struct Object {
    ObjectRow row;
    std::uint64_t references = 0;  // segments that lie in it
  };
  Result<void> CheckOpen() const MR_REQUIRES(mutex_);
  void Release(const SegmentRow& segment, std::int64_t now_ms) MR_REQUIRES(mutex_);
  [[nodiscard]] bool HasGap(const SegmentRow& gap) const MR_REQUIRES(mutex_);
  std::vector<PartitionRow> RowsOf(std::span<const SegmentCommit> segments) const MR_REQUIRES(mutex_);

  mutable Mutex mutex_;
  bool closed_ MR_GUARDED_BY(mutex_) = false;
  std::string identity_ MR_GUARDED_BY(mutex_);
  std::int64_t next_topic_ MR_GUARDED_BY(mutex_) = 1;
  std::map<TopicId, TopicRow> topics_ MR_GUARDED_BY(mutex_);
  std::map<PartitionKey, Partition> partitions_ MR_GUARDED_BY(mutex_);
  std::map<ObjectId, Object> objects_ MR_GUARDED_BY(mutex_);
  std::map<PositionKey, Offset> positions_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
