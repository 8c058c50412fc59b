#include "fetch/read_memory.h"

#include <algorithm>

#include "base/bugs.h"
#include "base/check.h"
#include "base/limited_wait.h"

namespace millrace {

ReadMemory::~ReadMemory() {
  MutexLock lock(mutex_);
  if (Planted(Bug::kReadBudgetLeakOnError)) return;  // not within the check, whose text stands in the binary
  MR_CHECK(bytes_ == 0, bytes_);
}

void ReadMemory::Reservation::Release() {
  if (memory_ != nullptr) std::exchange(memory_, nullptr)->Give(std::exchange(bytes_, 0));
}

ReadMemory::Reservation ReadMemory::Reservation::Split(std::uint64_t bytes) {
  MR_CHECK(bytes <= bytes_, bytes, bytes_);
  bytes_ -= bytes;
  return {memory_, bytes};
}

ReadMemory::Reservation& ReadMemory::Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  Release();
  memory_ = std::exchange(other.memory_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

bool ReadMemory::Fits(std::uint64_t bytes) const {
  return bytes_ == 0 || (bytes <= bytes_max_ && bytes_ <= bytes_max_ - bytes);
}

ReadMemory::Reservation ReadMemory::Take(std::uint64_t bytes) {
  bytes_ += bytes;
  bytes_peak_ = std::max(bytes_peak_, bytes_);
  return {this, bytes};
}

/// The next reader may fit already: one that leaves the queue wakes the others.
void ReadMemory::LeaveQueue(std::uint64_t ticket) {
  std::erase(waiting_, ticket);
  changed_.NotifyAll();
}

Result<ReadMemory::Reservation> ReadMemory::Reserve(std::uint64_t bytes) {
  {
    MutexLock lock(mutex_);
    if (waiting_.empty() && Fits(bytes)) return Take(bytes);
  }
  LimitedWait wait(mutex_, changed_, clock_);
  MutexLock lock(mutex_);
  const std::uint64_t ticket = next_ticket_++;
  waiting_.push_back(ticket);
  while (waiting_.front() != ticket || !Fits(bytes)) {
    const Result<void> waited = wait.For("room in the memory budget of reads", mutex_);
    if (waited) continue;
    LeaveQueue(ticket);
    return Error(waited.error().code(), std::string(waited.error().message()),
                 "raise read_memory_max or read fewer partitions at once");
  }
  LeaveQueue(ticket);
  return Take(bytes);
}

std::optional<ReadMemory::Reservation> ReadMemory::TryReserve(std::uint64_t bytes) {
  MutexLock lock(mutex_);
  if (!waiting_.empty() || bytes > ahead_bytes_max() || bytes_ > ahead_bytes_max() - bytes) return std::nullopt;
  return Take(bytes);
}

void ReadMemory::Give(std::uint64_t bytes) {
  {
    MutexLock lock(mutex_);
    MR_CHECK(bytes <= bytes_, bytes, bytes_);
    bytes_ -= bytes;
  }
  changed_.NotifyAll();
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
