#include "process_stores.h"

#include <fmt/format.h>

#include <utility>

#include "meta/catalog.h"
#include "store/forwarding_object_store.h"
#include "wal_model.h"

namespace millrace::sim {
namespace {

constexpr std::size_t kRowsMax = 100'000;
constexpr std::chrono::hours kDoubted(20);  // a day, less what clocks jump in a run besides

// No caller repeats anything after death.
Error DeadError() { return Error(ErrorCode::kUnavailable, "the process is dead").WithRetryable(false); }

class ProcessObjects final : public ForwardingObjectStore {
 public:
  ProcessObjects(std::shared_ptr<ObjectStore> below, SharedTruth& truth, std::shared_ptr<const ProcessLife> life,
                 Report& report)
      : ForwardingObjectStore(std::move(below)), truth_(truth), life_(std::move(life)), report_(report) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    if (life_->alive && key.ends_with(".obj")) {
      // The same bytes again are a retry of one attempt.
      std::uint64_t fingerprint = 0;
      for (const SharedBytes& piece : pieces) fingerprint = fingerprint * 31 + HashOf(piece.bytes());
      const auto [entry, fresh] = truth_.keys_ever_put.emplace(key, fingerprint);
      report_.Expect(fresh || entry->second == fingerprint, "key-reused", key);
    }
    return ForwardingObjectStore::Put(key, pieces, mode);
  }
  Result<void> Delete(std::string_view key) override {
    if (life_->alive && key.ends_with(".obj")) JudgeDeletion(key);
    return ForwardingObjectStore::Delete(key);
  }
  Result<void> DeleteMany(std::span<const std::string> keys) override {
    for (const std::string& key : keys) {
      if (life_->alive && key.ends_with(".obj")) JudgeDeletion(key);
    }
    return ForwardingObjectStore::DeleteMany(keys);
  }

 private:
  Result<void> Around(const Subject&, const std::function<Result<void>()>& request) override {
    if (!life_->alive) return DeadError();
    return request();
  }
  void JudgeDeletion(std::string_view key) {
    report_.Fired("object-deleted");
    report_.Expect(!truth_.Refers(key), "referenced-object-deleted", key);
    const auto deleting = Catalog(*truth_.metadata).ObjectsIn(ObjectState::kDeleting, INT64_MAX, kRowsMax);
    const ObjectRow* row = nullptr;
    for (const ObjectRow& candidate : deleting ? *deleting : std::vector<ObjectRow>()) {
      if (candidate.key == key) row = &candidate;
      if (row != nullptr) {
        const auto age = truth_.LatestTrusted() - std::chrono::milliseconds(row->changed_ms);
        report_.Expect(truth_.clock == nullptr || age >= truth_.delete_grace, "deleted-without-grace",
                       fmt::format("{} after {} ms at most", key, age.count()));
        return;
      }
    }
    report_.Expect(false, "deleted-without-decision", fmt::format("{} is not marked as deleting in metadata", key));
  }

  SharedTruth& truth_;
  const std::shared_ptr<const ProcessLife> life_;
  Report& report_;
};

class ProcessMetadata final : public MetadataStore {
 public:
  ProcessMetadata(std::shared_ptr<MetadataStore> below, SharedTruth& truth, std::shared_ptr<const ProcessLife> life,
                  Report& report)
      : below_(std::move(below)), truth_(truth), life_(std::move(life)), report_(report) {}

  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override {
    return Pass([&] { return below_->Get(keys); });
  }
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) override {
    return Pass([&] { return below_->Scan(from, to, max); });
  }
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) override {
    std::vector<std::pair<PartitionKey, std::optional<PartitionRow>>> before;
    std::size_t segments = 0;
    for (const MetadataWrite& write : writes) {
      if (write.kind == MetadataWrite::Kind::kErase) continue;
      if (const auto* row = std::get_if<PartitionRow>(&write.row))
        before.emplace_back(row->key, truth_.RowOf(row->key));
      segments += std::holds_alternative<SegmentRow>(write.row) ? 1 : 0;
    }
    auto committed = Pass([&] { return below_->Commit(expected, writes); });
    for (const auto& [key, row] : before) {
      JudgeOwner(key, row);
      JudgeRow(key);
    }
    if (segments > 0 && committed && *committed) report_.Fired("segment-committed", segments);
    return committed;
  }
  Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) override {
    return Pass([&] { return below_->Changes(after, max); });
  }
  Result<std::int64_t> NowMs() override {
    return Pass([&] { return below_->NowMs(); });
  }
  /// The process lets go of it; the database stays.
  Result<void> Close() override { return {}; }

 private:
  template <class Call>
  auto Pass(Call&& call) -> decltype(call()) {
    if (!life_->alive) return DeadError();
    return call();
  }

  void JudgeOwner(const PartitionKey& partition, const std::optional<PartitionRow>& before) {
    const auto row = truth_.RowOf(partition);
    if (!life_->fenced || !row || !before) return;
    report_.Expect(row->tiered_end == before->tiered_end && row->log_start == before->log_start, "zombie-committed",
                   fmt::format("partition {}: tiered_end {} after {} though another owns it",
                               partition.partition.value(), row->tiered_end.value(), before->tiered_end.value()));
  }

  void JudgeRow(const PartitionKey& partition) {
    const auto row = truth_.RowOf(partition);
    if (!row) return;
    Offset& tiered_end = truth_.tiered_end[partition];
    Offset& log_start = truth_.log_start[partition];
    report_.Expect(row->tiered_end >= tiered_end && row->log_start >= log_start && row->log_start <= row->tiered_end,
                   "watermark-fell",
                   fmt::format("log_start {} after {}, tiered_end {} after {}", row->log_start.value(),
                               log_start.value(), row->tiered_end.value(), tiered_end.value()));
    tiered_end = std::max(tiered_end, row->tiered_end);
    log_start = std::max(log_start, row->log_start);
  }

  const std::shared_ptr<MetadataStore> below_;
  SharedTruth& truth_;
  const std::shared_ptr<const ProcessLife> life_;
  Report& report_;
};

}  // namespace

std::optional<PartitionRow> SharedTruth::RowOf(const PartitionKey& partition) const {
  const auto rows = Catalog(*metadata).Partitions(partition.topic);
  if (!rows) return std::nullopt;
  for (const PartitionRow& row : *rows) {
    if (row.key == partition) return row;
  }
  return std::nullopt;
}

void SharedTruth::NoteLead() {
  if (clock == nullptr) return;
  const std::chrono::nanoseconds lead = std::chrono::milliseconds(clock->WallMs()) - clock->Monotonic();
  if (!lead_max || lead - *lead_max < kDoubted) lead_max = std::max(lead_max.value_or(lead), lead);
}

std::chrono::milliseconds SharedTruth::LatestTrusted() {
  if (clock == nullptr) return {};
  NoteLead();
  return std::chrono::duration_cast<std::chrono::milliseconds>(clock->Monotonic() + *lead_max);
}

bool SharedTruth::Refers(std::string_view key) const {
  const auto topics = Catalog(*metadata).Topics();
  for (const TopicRow& topic : topics ? *topics : std::vector<TopicRow>()) {
    for (std::int32_t partition = 0; partition < topic.options.partitions; ++partition) {
      const auto segments = Catalog(*metadata).Segments({topic.id, PartitionId(partition)}, Offset(0), kRowsMax);
      for (const SegmentRow& segment : segments ? *segments : std::vector<SegmentRow>()) {
        const auto object = Catalog(*metadata).FindObject(segment.object);
        if (object && *object && (*object)->key == key) return true;
      }
    }
  }
  return false;
}

std::shared_ptr<ObjectStore> ObjectsOfProcess(std::shared_ptr<ObjectStore> faulty, SharedTruth& truth,
                                              std::shared_ptr<const ProcessLife> life, Report& report) {
  return std::make_shared<ProcessObjects>(std::move(faulty), truth, std::move(life), report);
}

std::shared_ptr<MetadataStore> MetadataOfProcess(std::shared_ptr<MetadataStore> faulty, SharedTruth& truth,
                                                 std::shared_ptr<const ProcessLife> life, Report& report) {
  return std::make_shared<ProcessMetadata>(std::move(faulty), truth, std::move(life), report);
}

}  // namespace millrace::sim
