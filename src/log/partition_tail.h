// One partition's share of the tail cache: its newest batches, without a gap up to log_end, in runs.
//
//   runs      |------- 1 -------|---- 2 ----|       given up whole, the oldest first
//   blocks    |--|----|---------|-|--|======|       memory: small batches are copied in one behind the other; a large
//   slices    |||||||||||||||||||||||||     |       one keeps the memory it came in
//
// The first block is small, and each next one as long as what its run or the one before it holds: a partition with few
// bytes takes little memory, and one with many neither allocates nor frees for each batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/check.h"
#include "log/ring.h"
#include "log/tail_cache.h"
#include "millrace/bytes.h"
#include "millrace/types.h"

namespace millrace {

/// Not thread-safe: guarded by its log's mutex. Beside what is charged, a block that is not full yet takes as much
/// again at most, and the oldest one may hold bytes of slices that were dropped.
class PartitionTail {
 public:
  /// What a slice costs beside its bytes: its slot, its part of run and block.
  static constexpr std::uint64_t kSliceOverhead = 96;
  /// A batch of at least so many bytes is kept as it is.
  static constexpr std::size_t kLargeBytes = 4 << 10;

  explicit PartitionTail(TailCache& cache) : cache_(cache) {}

  [[nodiscard]] static std::uint64_t Charge(std::uint64_t batch_bytes) { return batch_bytes + kSliceOverhead; }

  /// The caller has reserved Charge(batch.size()). Takes `batch` if it is large, else copies it: its memory, which the
  /// processor has at hand, serves the next one.
  void Append(Offset base, Buffer& batch, const std::weak_ptr<TailOwner>& owner) {
    const std::uint64_t charge = Charge(batch.size());
    if (runs_.empty() || runs_.back().bytes >= cache_.run_bytes()) {
      runs_.PushBack({std::make_shared<TailRun>(TailRun{owner, ++last_run_}), 0, 0});
      cache_.Announce(runs_.back().run);
      room_ = {};
    }
    MR_DCHECK(slices_.empty() || slices_.back().base < base, slices_.back().base.value(), base.value());
    Run& run = runs_.back();
    const std::span<const std::byte> bytes = batch.size() < kLargeBytes ? Copied(batch.bytes()) : Kept(batch);
    slices_.PushBack({base, bytes, last_block_});
    ++blocks_.back().slices;
    run.bytes += charge;
    ++run.slices;
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
  [[nodiscard]] std::size_t batch_bytes(std::size_t index) const { return slices_[index].bytes.size(); }
  /// Shares the memory of its block.
  [[nodiscard]] SharedBytes batch(std::size_t index) const {
    const Slice& slice = slices_[index];
    return {blocks_[slice.block - FirstBlock()].memory, slice.bytes};
  }
  [[nodiscard]] Offset base(std::size_t index) const { return slices_[index].base; }

  void DropRuns(std::uint64_t number) {
    std::uint64_t charge = 0;
    while (!runs_.empty() && runs_.front().run->number <= number) charge += DropFirstSlice();
    cache_.Release(charge);
  }
  void DropBelow(Offset offset) {
    std::uint64_t charge = 0;
    while (!slices_.empty() && slices_.front().base < offset) charge += DropFirstSlice();
    cache_.Release(charge);
  }
  void DropAll() {
    std::uint64_t charge = 0;
    while (!slices_.empty()) charge += DropFirstSlice();
    cache_.Release(charge);
  }

 private:
  struct Slice {
    Offset base;
    std::span<const std::byte> bytes;
    std::uint64_t block = 0;
  };
  struct Block {
    std::shared_ptr<const void> memory;
    std::size_t slices = 0;
  };
  struct Run {
    std::shared_ptr<TailRun> run;
    std::uint64_t bytes = 0;
    std::size_t slices = 0;
  };
  static constexpr std::size_t kFirstBlockBytes = 1 << 10;

  [[nodiscard]] std::uint64_t FirstBlock() const { return last_block_ + 1 - blocks_.size(); }

  /// As long as what is held around it.
  [[nodiscard]] std::uint64_t NextBlockBytes() const {
    const std::uint64_t before = runs_.size() > 1 ? runs_[runs_.size() - 2].bytes : 0;
    return std::clamp<std::uint64_t>(std::max(runs_.back().bytes, before), kFirstBlockBytes, TailBlocks::kBlockBytes);
  }
  void AddBlock(std::shared_ptr<const void> memory) {
    blocks_.PushBack({std::move(memory), 0});
    ++last_block_;
  }
  std::span<const std::byte> Copied(std::span<const std::byte> batch) {
    if (room_.size() < batch.size()) {
      const std::size_t bytes = std::max<std::size_t>(batch.size(), NextBlockBytes());
      auto memory = bytes == TailBlocks::kBlockBytes ? cache_.blocks().Take()
                                                     : std::make_shared_for_overwrite<std::byte[]>(bytes);
      room_ = {memory.get(), bytes};
      AddBlock(std::move(memory));
    }
    const std::span<std::byte> place = room_.first(batch.size());
    std::memcpy(place.data(), batch.data(), batch.size());
    room_ = room_.subspan(batch.size());
    return place;
  }
  std::span<const std::byte> Kept(Buffer& batch) {
    const SharedBytes kept = std::move(batch).Freeze();
    AddBlock(kept.owner());
    room_ = {};
    return kept.bytes();
  }

  /// Returns what it was charged.
  std::uint64_t DropFirstSlice() {
    const std::uint64_t charge = Charge(slices_.front().bytes.size());
    slices_.PopFront();
    if (--blocks_.front().slices == 0) {
      if (blocks_.size() == 1) room_ = {};
      blocks_.PopFront();
    }
    Run& run = runs_.front();
    MR_DCHECK(run.bytes >= charge && run.slices > 0, run.bytes, charge, run.slices);
    run.bytes -= charge;
    if (--run.slices == 0) runs_.PopFront();
    MR_DCHECK(slices_.empty() == runs_.empty(), slices_.size(), runs_.size());
    return charge;
  }

  TailCache& cache_;
  Ring<Slice> slices_;
  Ring<Block> blocks_;  // numbered up to last_block_
  Ring<Run> runs_;
  std::span<std::byte> room_;  // what is left of the newest block, if it takes copies
  std::uint64_t last_run_ = 0, last_block_ = 0;
};

}  // namespace millrace
