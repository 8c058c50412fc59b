#include "meta/faulty_metadata_store.h"

namespace millrace {

void FaultyMetadataStore::SetPlan(const MetadataFaultPlan& plan) {
  MutexLock lock(mutex_);
  plan_ = plan;
}

void FaultyMetadataStore::FailCall(std::uint64_t n, MetadataFault fault) {
  MutexLock lock(mutex_);
  chosen_call_ = calls_ + n;
  chosen_fault_ = fault;
}

std::uint64_t FaultyMetadataStore::calls() const {
  MutexLock lock(mutex_);
  return calls_;
}

std::uint64_t FaultyMetadataStore::fired(MetadataFault fault) const {
  MutexLock lock(mutex_);
  return fault == MetadataFault::kBefore ? fired_before_ : fired_after_;
}

template <class Call>
auto FaultyMetadataStore::Pass(Call&& call) -> decltype(call()) {
  bool before, after;
  ErrorCode code;
  {
    MutexLock lock(mutex_);
    const bool chosen = ++calls_ == chosen_call_;
    // Both are drawn at every call, so that one chance does not shift the other's dice.
    before = random_.Below(1'000'000) < plan_.before_per_million;
    after = random_.Below(1'000'000) < plan_.after_per_million;
    before |= chosen && chosen_fault_ == MetadataFault::kBefore;
    after |= chosen && chosen_fault_ == MetadataFault::kAfter;
    after &= !before;
    fired_before_ += before;
    fired_after_ += after;
    code = plan_.code;
  }
  if (before) return Error(code, "injected fault: the metadata call had no effect");
  auto result = call();
  if (after && result) return Error(code, "injected fault: the metadata call took effect, its answer was lost");
  return result;
}

Result<std::string> FaultyMetadataStore::Identity() {
  return Pass([&] { return inner_->Identity(); });
}
Result<void> FaultyMetadataStore::SetIdentity(std::string_view identity) {
  return Pass([&] { return inner_->SetIdentity(identity); });
}
Result<TopicRow> FaultyMetadataStore::CreateTopic(std::string_view name, const TopicOptions& options,
                                                  std::string_view uuid, std::int64_t now_ms) {
  return Pass([&] { return inner_->CreateTopic(name, options, uuid, now_ms); });
}
Result<void> FaultyMetadataStore::AlterTopic(TopicId topic, const TopicOptions& options) {
  return Pass([&] { return inner_->AlterTopic(topic, options); });
}
Result<void> FaultyMetadataStore::DeleteTopic(TopicId topic, std::int64_t now_ms) {
  return Pass([&] { return inner_->DeleteTopic(topic, now_ms); });
}
Result<std::vector<TopicRow>> FaultyMetadataStore::Topics() {
  return Pass([&] { return inner_->Topics(); });
}
Result<std::vector<PartitionRow>> FaultyMetadataStore::Partitions(TopicId topic) {
  return Pass([&] { return inner_->Partitions(topic); });
}
Result<PartitionRow> FaultyMetadataStore::AcquireEpoch(const PartitionKey& partition) {
  return Pass([&] { return inner_->AcquireEpoch(partition); });
}
Result<PartitionRow> FaultyMetadataStore::AdvanceLogStart(const PartitionKey& partition, LeaderEpoch epoch,
                                                          Offset log_start, std::int64_t now_ms) {
  return Pass([&] { return inner_->AdvanceLogStart(partition, epoch, log_start, now_ms); });
}
Result<void> FaultyMetadataStore::PrepareObject(const ObjectRow& object) {
  return Pass([&] { return inner_->PrepareObject(object); });
}
Result<std::vector<PartitionRow>> FaultyMetadataStore::CommitSegments(const ObjectRow& object,
                                                                      std::span<const SegmentCommit> segments) {
  return Pass([&] { return inner_->CommitSegments(object, segments); });
}
Result<std::vector<ObjectRow>> FaultyMetadataStore::ObjectsIn(ObjectState state, std::int64_t changed_before_ms,
                                                              std::size_t max) {
  return Pass([&] { return inner_->ObjectsIn(state, changed_before_ms, max); });
}
Result<void> FaultyMetadataStore::AbandonObject(const ObjectId& id, std::int64_t now_ms) {
  return Pass([&] { return inner_->AbandonObject(id, now_ms); });
}
Result<void> FaultyMetadataStore::ForgetObject(const ObjectId& id) {
  return Pass([&] { return inner_->ForgetObject(id); });
}
Result<std::optional<ObjectRow>> FaultyMetadataStore::FindObject(const ObjectId& id) {
  return Pass([&] { return inner_->FindObject(id); });
}
Result<std::vector<SegmentRow>> FaultyMetadataStore::Segments(const PartitionKey& partition, Offset from,
                                                              std::size_t max) {
  return Pass([&] { return inner_->Segments(partition, from, max); });
}
Result<void> FaultyMetadataStore::CommitPositions(std::span<const PositionRow> positions) {
  return Pass([&] { return inner_->CommitPositions(positions); });
}
Result<std::vector<PositionRow>> FaultyMetadataStore::Positions(std::string_view group) {
  return Pass([&] { return inner_->Positions(group); });
}
Result<std::vector<std::string>> FaultyMetadataStore::Groups() {
  return Pass([&] { return inner_->Groups(); });
}
Result<void> FaultyMetadataStore::DeleteGroup(std::string_view group) {
  return Pass([&] { return inner_->DeleteGroup(group); });
}

}  // namespace millrace
