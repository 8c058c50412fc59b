#include "log/tail_cache.h"

#include <algorithm>

#include "base/check.h"

namespace millrace {

TailBlocks::~TailBlocks() {
  for (std::byte* block : spare_) delete[] block;
}

std::shared_ptr<std::byte[]> TailBlocks::Take() {
  std::byte* block = nullptr;
  {
    MutexLock lock(mutex_);
    if (!spare_.empty()) {
      block = spare_.back();
      spare_.pop_back();
    }
  }
  if (block == nullptr) block = new std::byte[kBlockBytes];
  return {block, [self = shared_from_this()](std::byte* done) { self->GiveBack(done); }};
}

std::size_t TailBlocks::spare() const {
  MutexLock lock(mutex_);
  return spare_.size();
}

void TailBlocks::GiveBack(std::byte* block) {
  {
    MutexLock lock(mutex_);
    if (spare_.size() < kSpareMax) {
      spare_.push_back(block);
      return;
    }
  }
  delete[] block;
}

TailCache::TailCache(std::uint64_t bytes_max)
    : bytes_max_(bytes_max), run_bytes_(std::clamp<std::uint64_t>(bytes_max / 64, 1, 64 << 10)) {}

TailCache::~TailCache() { MR_CHECK(bytes() == 0, bytes()); }

bool TailCache::Reserve(std::uint64_t bytes) {
  if (bytes > bytes_max_) return false;
  std::uint64_t held = bytes_.load(std::memory_order_relaxed);
  while (true) {
    MR_DCHECK(held <= bytes_max_, held, bytes_max_);
    if (held <= bytes_max_ - bytes) {
      if (bytes_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed)) return true;
      continue;
    }
    if (!GiveUpOldest()) return false;
    held = bytes_.load(std::memory_order_relaxed);
  }
}

void TailCache::Announce(const std::shared_ptr<TailRun>& run) {
  MutexLock lock(mutex_);
  runs_.push_back(run);
  if (runs_.size() < prune_at_) return;
  // Logs that drop their slices themselves leave empty places behind.
  std::erase_if(runs_, [](const std::weak_ptr<TailRun>& one) { return one.expired(); });
  prune_at_ = runs_.size() * 2 + 1024;
}

bool TailCache::GiveUpOldest() {
  while (true) {
    std::shared_ptr<TailRun> oldest;
    {
      MutexLock lock(mutex_);
      if (runs_.empty()) return false;
      oldest = runs_.front().lock();
      runs_.pop_front();
    }
    if (oldest == nullptr) continue;
    const std::shared_ptr<TailOwner> owner = oldest->owner.lock();
    if (owner == nullptr) continue;
    owner->GiveUpRuns(oldest->number);
    return true;
  }
}

}  // namespace millrace
