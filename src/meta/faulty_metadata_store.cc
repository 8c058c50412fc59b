#include "meta/faulty_metadata_store.h"

namespace millrace {

void FaultyMetadataStore::SetPlan(const MetadataFaultPlan& plan) {
  MutexLock lock(mutex_);
  plan_ = plan;
  silent_ = false;
}

void FaultyMetadataStore::FailCall(std::uint64_t n, MetadataFault fault) {
  MutexLock lock(mutex_);
  chosen_call_ = calls_ + n;
  chosen_fault_ = fault;
}

void FaultyMetadataStore::FailCommit(std::uint64_t n, MetadataFault fault) {
  MutexLock lock(mutex_);
  chosen_commit_ = commits_ + n;
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
auto FaultyMetadataStore::Pass(CallKind kind, Call&& call) -> decltype(call()) {
  bool before, after;
  ErrorCode code;
  {
    MutexLock lock(mutex_);
    bool chosen = ++calls_ == chosen_call_;
    if (kind == CallKind::kCommit) chosen |= ++commits_ == chosen_commit_;
    // Both are drawn at every call, so that one chance does not shift the other's dice.
    const bool dicing = kind == CallKind::kCommit || !plan_.commits_only;
    before = random_.Below(1'000'000) < plan_.before_per_million && dicing;
    after = random_.Below(1'000'000) < plan_.after_per_million && dicing;
    before |= silent_ || (chosen && chosen_fault_ == MetadataFault::kBefore);
    after |= chosen && chosen_fault_ == MetadataFault::kAfter;
    after &= !before;
    silent_ |= chosen && plan_.silent_once_fired;
    fired_before_ += before;
    fired_after_ += after;
    code = plan_.code;
  }
  if (before) return Error(code, "injected fault: the metadata call had no effect");
  auto result = call();
  if (after && result) return Error(code, "injected fault: the metadata call took effect, its answer was lost");
  return result;
}

Result<std::vector<std::optional<MetadataRow>>> FaultyMetadataStore::Get(std::span<const MetadataKey> keys) {
  return Pass(CallKind::kRead, [&] { return inner_->Get(keys); });
}
Result<std::vector<MetadataRow>> FaultyMetadataStore::Scan(const MetadataKey& from, const MetadataKey& to,
                                                           std::size_t max) {
  return Pass(CallKind::kRead, [&] { return inner_->Scan(from, to, max); });
}
Result<std::optional<ChangeNumber>> FaultyMetadataStore::Commit(std::span<const MetadataRow> expected,
                                                                std::span<const MetadataWrite> writes) {
  return Pass(CallKind::kCommit, [&] { return inner_->Commit(expected, writes); });
}
Result<std::vector<MetadataChange>> FaultyMetadataStore::Changes(ChangeNumber after, std::size_t max) {
  return Pass(CallKind::kRead, [&] { return inner_->Changes(after, max); });
}
Result<std::int64_t> FaultyMetadataStore::NowMs() {
  return Pass(CallKind::kRead, [&] { return inner_->NowMs(); });
}

}  // namespace millrace
