#include "read/read_memory.h"

#include <algorithm>

#include "base/bugs.h"
#include "base/check.h"

namespace millrace {

ReadMemory::~ReadMemory() {
  MutexLock lock(mutex_);
  if (Planted(Bug::kReadBudgetLeakOnError)) return;  // not within the check, whose text stands in the binary
  MR_CHECK(bytes_ == 0, bytes_);
}

void ReadMemory::Reservation::Release() {
  if (memory_ != nullptr) std::exchange(memory_, nullptr)->Give(std::exchange(bytes_, 0));
}

ReadMemory::Reservation& ReadMemory::Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  Release();
  memory_ = std::exchange(other.memory_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

Result<ReadMemory::Reservation> ReadMemory::Reserve(std::uint64_t bytes,
                                                    std::optional<std::chrono::nanoseconds> deadline) {
  MutexLock lock(mutex_);
  while (bytes_ != 0 && (bytes > bytes_max_ || bytes_ > bytes_max_ - bytes)) {
    if (!deadline) {
      released_.Wait(mutex_);
      continue;
    }
    const auto left = *deadline - clock_.Monotonic();
    if (left <= std::chrono::nanoseconds::zero())
      return Error(ErrorCode::kTimeout, "waiting for room in the memory budget of reads",
                   "raise read_memory_max or read fewer partitions at once");
    released_.WaitFor(mutex_, left);
  }
  bytes_ += bytes;
  bytes_peak_ = std::max(bytes_peak_, bytes_);
  return Reservation(this, bytes);
}

void ReadMemory::Give(std::uint64_t bytes) {
  {
    MutexLock lock(mutex_);
    MR_CHECK(bytes <= bytes_, bytes, bytes_);
    bytes_ -= bytes;
  }
  released_.NotifyAll();
}

std::uint64_t ReadMemory::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

std::uint64_t ReadMemory::bytes_peak() const {
  MutexLock lock(mutex_);
  return bytes_peak_;
}

}  // namespace millrace
