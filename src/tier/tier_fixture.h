// What tests of this room start from: partitions of one topic whose logs share a fake WAL and a tail cache (of
// nothing), rows and objects in memory behind decorators that fail when told to, and a simulated clock.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "log/fake_wal.h"
#include "log/log_fixture.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"
#include "store/faulty_object_store.h"
#include "store/memory_object_store.h"
#include "tier/store_claim.h"
#include "tier/tiered_partition.h"
#include "tier/upload_schedule.h"

namespace millrace {

/// Does with segments and rows what the engine's partition does, and keeps them.
class TierPartition final : public TieredPartition {
 public:
  TierPartition(const PartitionRow& row, Wal& wal, TailCache& tail_cache, Clock& clock)
      : log_({.key = row.key,
              .name = {"orders", row.key.partition},
              .stream = WalStream(100 + static_cast<std::uint64_t>(row.key.partition.value())),
              .sync = SyncPolicy::Each()},
             row, wal, tail_cache, clock) {
    (void)log_.FinishRecovery();
  }
  PartitionLog& log() override { return log_; }
  PartitionUpload& upload() override { return upload_; }
  [[nodiscard]] TopicOptions options() const override { return topic_options; }
  [[nodiscard]] SegmentTotals totals() const override {
    if (rows.empty()) return {};
    return {.segments = rows.back().segments, .bytes = rows.back().segment_bytes};
  }
  Result<bool> ForgetConsumed(std::optional<Offset> groups_passed,
                              const std::function<Result<bool>(Offset until)>& forget) override {
    if (!consumed && !groups_passed) return false;
    return forget(consumed && groups_passed ? std::min(*consumed, *groups_passed)
                  : consumed                ? *consumed
                                            : *groups_passed);
  }
  void OnSegment(const SegmentRow& segment) override { segments.push_back(segment); }
  void OnRow(const PartitionRow& row) override {
    rows.push_back(row);
    log_.AdvanceTieredEnd(row.tiered_end);
    log_.AdvanceLogStart(row.log_start);
    if (schedule != nullptr) schedule->OnTieredEnd(upload_, row.tiered_end);
  }

  TopicOptions topic_options;
  std::optional<Offset> consumed;  // by all cursors
  UploadSchedule* schedule = nullptr;
  std::vector<SegmentRow> segments;  // told of, in order
  std::vector<PartitionRow> rows;

 private:
  PartitionLog log_;
  PartitionUpload upload_{*this};
};

struct TierFixture : TieredPartitions {
  /// `rows_in`: a memory store with a will of its own; none: a usual one.
  explicit TierFixture(int count = 1, std::shared_ptr<MemoryMetadataStore> rows_in = {}, std::uint64_t tail_bytes = 0)
      : tail_cache(tail_bytes),
        memory_rows(rows_in != nullptr ? std::move(rows_in) : std::make_shared<MemoryMetadataStore>()) {
    EXPECT_TRUE(claim.Hold());
    topic = Catalog(*memory_rows).CreateTopic("orders", {.partitions = count}, "", clock.WallMs())->id;
    const auto rows = *Catalog(*memory_rows).Partitions(topic);
    for (const PartitionRow& row : rows)
      partitions.push_back(std::make_unique<TierPartition>(row, wal, tail_cache, clock));
  }
  void ForEach(const std::function<void(TieredPartition&)>& visit) override {
    for (const auto& partition : partitions) visit(*partition);
  }
  PartitionKey Key(int i) { return partitions[static_cast<std::size_t>(i)]->log().key(); }
  PartitionRow Row(int i) { return (*Catalog(*memory_rows).Partitions(topic))[static_cast<std::size_t>(i)]; }
  std::vector<SegmentRow> Segments(int i) { return *Catalog(*memory_rows).Segments(Key(i), Offset(0), 1'000); }
  /// One batch of one record, durable; where it lies.
  AppendedBatch Append(int i, std::size_t bytes = 100) {
    TierPartition& partition = *partitions[static_cast<std::size_t>(i)];
    Buffer batch = TestBatch(1, bytes, clock.WallMs());
    const AppendedBatch appended = partition.log().TryAppend(batch).value();
    (void)partition.log().Sync({});
    if (partition.schedule != nullptr) partition.schedule->OnAppend(partition.upload(), bytes);
    return appended;
  }
  /// Those with segments in them.
  std::vector<ObjectDescription> StoredObjects() {
    std::vector<ObjectDescription> stored = memory_objects->List("", "", 1'000)->objects;
    std::erase_if(stored, [](const ObjectDescription& one) { return !one.key.ends_with(".obj"); });
    return stored;
  }
  std::size_t Stored() { return StoredObjects().size(); }
  std::size_t ObjectsIn(ObjectState state) { return Catalog(*memory_rows).ObjectsIn(state, INT64_MAX, 1'000)->size(); }

  SimClock clock;
  SeededRandom random{1};
  FakeWal wal;
  TailCache tail_cache;
  const std::shared_ptr<MemoryMetadataStore> memory_rows;
  FaultyMetadataStore metadata{memory_rows, 1};
  const std::shared_ptr<MemoryObjectStore> memory_objects = std::make_shared<MemoryObjectStore>(&clock);
  /// Called at every request, before its effect.
  std::function<void()> at_request = [] {};
  FaultyObjectStore objects{memory_objects, 1, [this](std::chrono::nanoseconds) { at_request(); }};
  /// Of a place of its own, held: uploads prove nothing, and ask no store for it.
  StoreClaim claim{
      {.claims = false}, {"", "0123456789abcdef0123456789abcdef"}, *memory_objects, *memory_rows, clock, random};
  TopicId topic;
  std::vector<std::unique_ptr<TierPartition>> partitions;
};

}  // namespace millrace
