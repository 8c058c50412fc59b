#include "server/kafka/frame_pool.h"

#include <bit>
#include <utility>

namespace millrace {
namespace {

// Four sizes for each doubling, from 4 KiB to 4 MiB: at most a fifth of a buffer lies idle.
constexpr std::size_t kSmallest = 4096, kLargest = 4 << 20;
constexpr std::size_t kSteps = 4;
constexpr std::size_t kSizes = 10 * kSteps + 1;

std::size_t SizeAt(std::size_t index) { return (kSmallest << (index / kSteps)) / kSteps * (kSteps + index % kSteps); }

std::size_t IndexFor(std::size_t size) {
  if (size <= kSmallest) return 0;
  const auto doublings = static_cast<std::size_t>(std::bit_width((size - 1) / kSmallest)) - 1;
  const std::size_t step = (kSmallest << doublings) / kSteps;
  return doublings * kSteps + (size - (kSmallest << doublings) + step - 1) / step;
}

}  // namespace

class FramePool::Shelf {
 public:
  explicit Shelf(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  std::unique_ptr<std::byte[]> Take(std::size_t index) MR_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    auto& free = free_[index];
    if (free.empty()) return nullptr;
    std::unique_ptr<std::byte[]> memory = std::move(free.back());
    free.pop_back();
    bytes_ -= SizeAt(index);
    return memory;
  }
  void Keep(std::size_t index, std::unique_ptr<std::byte[]> memory) MR_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (bytes_ + SizeAt(index) > bytes_max_) return;
    free_[index].push_back(std::move(memory));
    bytes_ += SizeAt(index);
  }
  std::size_t bytes() MR_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return bytes_;
  }

 private:
  const std::size_t bytes_max_;
  Mutex mutex_;
  std::array<std::vector<std::unique_ptr<std::byte[]>>, kSizes> free_ MR_GUARDED_BY(mutex_);
  std::size_t bytes_ MR_GUARDED_BY(mutex_) = 0;
};

FramePool::FramePool(std::size_t kept_bytes_max) : shelf_(std::make_shared<Shelf>(kept_bytes_max)) {}

FrameMemory FramePool::Take(std::size_t size) {
  if (size > kLargest) {
    auto owner = std::make_shared_for_overwrite<std::byte[]>(size);
    const std::span<std::byte> bytes(owner.get(), size);
    return {std::move(owner), bytes};
  }
  const std::size_t index = IndexFor(size);
  std::unique_ptr<std::byte[]> memory = shelf_->Take(index);
  if (memory == nullptr) memory = std::make_unique_for_overwrite<std::byte[]>(SizeAt(index));
  std::shared_ptr<std::byte[]> owner(memory.release(), [index, shelf = std::weak_ptr(shelf_)](std::byte* bytes) {
    std::unique_ptr<std::byte[]> back(bytes);
    if (const auto home = shelf.lock()) home->Keep(index, std::move(back));
  });
  const std::span<std::byte> bytes(owner.get(), size);
  return {std::move(owner), bytes};
}

std::size_t FramePool::kept_bytes() const { return shelf_->bytes(); }

}  // namespace millrace
