// One partition's share of the tail cache: its newest batches, without a gap up to log_end, in runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/check.h"
#include "log/ring.h"
#include "log/tail_cache.h"
#include "millrace/bytes.h"
#include "millrace/types.h"

namespace millrace {

/// Not thread-safe: guarded by its log's mutex.
class PartitionTail {
 public:
  /// What a slice costs beside its bytes: its slot, its counter, the allocator's share.
  static constexpr std::uint64_t kSliceOverhead = 96;

  explicit PartitionTail(TailCache& cache) : cache_(cache) {}

  [[nodiscard]] static std::uint64_t Charge(std::uint64_t batch_bytes) { return batch_bytes + kSliceOverhead; }

  /// The caller has reserved Charge(batch.size()).
  void Append(Offset base, SharedBytes batch, const std::weak_ptr<TailOwner>& owner) {
    const std::uint64_t charge = Charge(batch.size());
    if (runs_.empty() || runs_.back().bytes >= cache_.run_bytes()) {
      runs_.PushBack({std::make_shared<TailRun>(TailRun{owner, ++last_run_}), 0, 0});
      cache_.Announce(runs_.back().run);
    }
    MR_DCHECK(slices_.empty() || slices_.back().base < base, slices_.back().base.value(), base.value());
    Run& run = runs_.back();
    run.bytes += charge;
    ++run.slices;
    slices_.PushBack({base, std::move(batch)});
  }

  [[nodiscard]] bool empty() const { return slices_.empty(); }
  [[nodiscard]] std::size_t size() const { return slices_.size(); }
  /// The first offset held. Precondition: not empty.
  [[nodiscard]] Offset begin() const { return slices_.front().base; }
  /// Index of the slice that holds `offset`. Precondition: not empty, begin() <= offset < log_end.
  [[nodiscard]] std::size_t Find(Offset offset) const {
    MR_DCHECK(!slices_.empty() && begin() <= offset, offset.value(), slices_.size());
    return slices_.PartitionPoint([&](const Slice& slice) { return slice.base <= offset; }) - 1;
  }
  [[nodiscard]] const SharedBytes& batch(std::size_t index) const { return slices_[index].batch; }
  [[nodiscard]] Offset base(std::size_t index) const { return slices_[index].base; }

  void DropRuns(std::uint64_t number) {
    while (!runs_.empty() && runs_.front().run->number <= number) {
      if (slices_.size() > kPrefetchAhead) Prefetch(slices_[kPrefetchAhead].batch);
      DropFirstSlice();
    }
  }
  void DropBelow(Offset offset) {
    while (!slices_.empty() && slices_.front().base < offset) DropFirstSlice();
  }
  void DropAll() {
    while (!slices_.empty()) DropFirstSlice();
  }

 private:
  struct Slice {
    Offset base;
    SharedBytes batch;
  };
  struct Run {
    std::shared_ptr<TailRun> run;
    std::uint64_t bytes = 0;
    std::size_t slices = 0;
  };

  /// Old slices have left the processor's caches; freeing one touches its counter, before it, and the memory behind it.
  static void Prefetch(const SharedBytes& batch) {
    const auto at = reinterpret_cast<std::uintptr_t>(batch.data());
    __builtin_prefetch(reinterpret_cast<const void*>(at - kCounterBytes), 1);
    __builtin_prefetch(reinterpret_cast<const void*>(at + batch.size()), 1);
  }
  static constexpr std::size_t kPrefetchAhead = 6, kCounterBytes = 32;

  void DropFirstSlice() {
    const std::uint64_t charge = Charge(slices_.front().batch.size());
    slices_.PopFront();
    Run& run = runs_.front();
    MR_DCHECK(run.bytes >= charge && run.slices > 0, run.bytes, charge, run.slices);
    run.bytes -= charge;
    if (--run.slices == 0) runs_.PopFront();
    MR_DCHECK(slices_.empty() == runs_.empty(), slices_.size(), runs_.size());
    cache_.Release(charge);
  }

  TailCache& cache_;
  Ring<Slice> slices_;
  Ring<Run> runs_;
  std::uint64_t last_run_ = 0;
};

}  // namespace millrace
