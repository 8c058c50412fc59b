// A metadata store that fails on purpose: before a call's effect, or after it, so that its outcome is unknown.
#pragma once

#include <cstdint>
#include <memory>

#include "base/mutex.h"
#include "env/seeded_random.h"
#include "millrace/metadata_store.h"

namespace millrace {

enum class MetadataFault {
  kBefore,  // the call has no effect
  kAfter    // it has, and the caller is told it failed
};

struct MetadataFaultPlan {
  std::uint32_t before_per_million = 0, after_per_million = 0;  // of all calls but Close
  ErrorCode code = ErrorCode::kUnavailable;
};

/// Safe from any thread; a seeded run is deterministic if its calls come in a fixed order. Close never fails here.
class FaultyMetadataStore final : public MetadataStore {
 public:
  FaultyMetadataStore(std::shared_ptr<MetadataStore> inner, std::uint64_t seed)
      : inner_(std::move(inner)), random_(seed) {}

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
  Result<void> Close() override { return inner_->Close(); }

  /// From now on; a default plan heals everything.
  void SetPlan(const MetadataFaultPlan& plan);
  /// The `n`-th call from now on (1: the next) fails that way, whatever the plan says.
  void FailCall(std::uint64_t n, MetadataFault fault);
  [[nodiscard]] std::uint64_t calls() const;
  [[nodiscard]] std::uint64_t fired(MetadataFault fault) const;

 private:
  template <class Call>
  auto Pass(Call&& call) -> decltype(call());

  const std::shared_ptr<MetadataStore> inner_;
  mutable Mutex mutex_;
  SeededRandom random_ MR_GUARDED_BY(mutex_);
  MetadataFaultPlan plan_ MR_GUARDED_BY(mutex_);
  std::uint64_t calls_ MR_GUARDED_BY(mutex_) = 0, chosen_call_ MR_GUARDED_BY(mutex_) = 0;
  MetadataFault chosen_fault_ MR_GUARDED_BY(mutex_) = MetadataFault::kBefore;
  std::uint64_t fired_before_ MR_GUARDED_BY(mutex_) = 0, fired_after_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
