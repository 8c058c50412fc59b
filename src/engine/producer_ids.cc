#include "engine/producer_ids.h"

#include "base/check.h"
#include "base/try.h"
#include "env/random.h"
#include "env/random_id.h"
#include "meta/ownership.h"

namespace millrace {
namespace {

constexpr int kCountBits = 16, kRandomBits = 23, kBlockBits = 24;
static_assert(kCountBits + kRandomBits + kBlockBits == 63 && kProducerBlocks == std::int64_t{1} << kBlockBits);

}  // namespace

std::optional<std::int64_t> ProducerIds::TakeLocked() {
  if (next_ == end_) return std::nullopt;
  return next_++;
}

std::optional<std::int64_t> ProducerIds::TryTake() {
  MutexLock lock(mutex_);
  return TakeLocked();
}

Result<std::int64_t> ProducerIds::Take() {
  if (const auto id = TryTake()) return *id;
  // Two callers may take a block each; the one that comes later to the lock leaves its own unused.
  MR_ASSIGN_OR_RETURN(const std::int64_t block, Ownership(metadata_).TakeProducerBlock(RandomHexId(random_)));
  MR_CHECK(block >= 0 && block < kProducerBlocks, block);
  const auto random = static_cast<std::int64_t>(random_.Next() & ((std::uint64_t{1} << kRandomBits) - 1));
  MutexLock lock(mutex_);
  if (next_ == end_) {
    next_ = (block << (kRandomBits + kCountBits)) | (random << kCountBits);
    end_ = next_ + (std::int64_t{1} << kCountBits);
  }
  return *TakeLocked();
}

}  // namespace millrace
