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
  bool commits_only = false;  // a change reads several times before it commits, and would seldom come so far
  ErrorCode code = ErrorCode::kUnavailable;
  bool silent_once_fired = false;  // behind a chosen call that failed every call fails, without effect
};

/// Safe from any thread; a seeded run is deterministic if its calls come in a fixed order. Close never fails here.
class FaultyMetadataStore final : public MetadataStore {
 public:
  FaultyMetadataStore(std::shared_ptr<MetadataStore> inner, std::uint64_t seed)
      : inner_(std::move(inner)), random_(seed) {}

  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override;
  Result<std::vector<MetadataRow>> Scan(const MetadataKey& from, const MetadataKey& to, std::size_t max) override;
  Result<std::optional<ChangeNumber>> Commit(std::span<const MetadataRow> expected,
                                             std::span<const MetadataWrite> writes) override;
  Result<std::vector<MetadataChange>> Changes(ChangeNumber after, std::size_t max) override;
  Result<std::int64_t> NowMs() override;
  Result<void> Close() override { return inner_->Close(); }

  /// From now on; a default plan heals everything.
  void SetPlan(const MetadataFaultPlan& plan);
  /// The `n`-th call from now on (1: the next) fails that way, whatever the plan says.
  void FailCall(std::uint64_t n, MetadataFault fault);
  /// The `n`-th Commit from now on.
  void FailCommit(std::uint64_t n, MetadataFault fault);
  [[nodiscard]] std::uint64_t calls() const;
  [[nodiscard]] std::uint64_t fired(MetadataFault fault) const;

 private:
  enum class CallKind { kRead, kCommit };
  template <class Call>
  auto Pass(CallKind kind, Call&& call) -> decltype(call());

  const std::shared_ptr<MetadataStore> inner_;
  mutable Mutex mutex_;
  SeededRandom random_ MR_GUARDED_BY(mutex_);
  MetadataFaultPlan plan_ MR_GUARDED_BY(mutex_);
  std::uint64_t calls_ MR_GUARDED_BY(mutex_) = 0, chosen_call_ MR_GUARDED_BY(mutex_) = 0;
  std::uint64_t commits_ MR_GUARDED_BY(mutex_) = 0, chosen_commit_ MR_GUARDED_BY(mutex_) = 0;
  bool silent_ MR_GUARDED_BY(mutex_) = false;
  MetadataFault chosen_fault_ MR_GUARDED_BY(mutex_) = MetadataFault::kBefore;
  std::uint64_t fired_before_ MR_GUARDED_BY(mutex_) = 0, fired_after_ MR_GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace
