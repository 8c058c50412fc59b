#include "env/uring.h"

#include <linux/io_uring.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/check.h"

namespace millrace {
namespace {

// As of pread; a multiple of 4,096 keeps direct I/O aligned.
constexpr std::size_t kTransferMax = 1 << 30;

std::uint32_t Load(const std::uint32_t* word) {
  return std::atomic_ref(*const_cast<std::uint32_t*>(word)).load(std::memory_order_acquire);
}
void Store(std::uint32_t* word, std::uint32_t value) { std::atomic_ref(*word).store(value, std::memory_order_release); }

/// Errors that say nothing of the file: the same transfer may well succeed by another call, or give its own error
/// there.
bool IsRefusal(int error_number) {
  return error_number == EINTR || error_number == EAGAIN || error_number == ECANCELED || error_number == EINVAL ||
         error_number == EOPNOTSUPP || error_number == ENOMEM;
}

/// What one completion means for its transfer. True: it is short and goes on.
bool Advance(UringTransfer& transfer, std::int32_t result) {
  if (result < 0) {
    if (IsRefusal(-result)) return false;
    transfer.state = UringTransfer::State::kFailed;
    transfer.error_number = -result;
    return false;
  }
  const std::size_t left = transfer.length - transfer.done;
  MR_CHECK(static_cast<std::size_t>(result) <= left, result, left);
  transfer.done += static_cast<std::size_t>(result);
  if (result == 0 && transfer.direction == UringTransfer::Direction::kWrite && left > 0) {
    transfer.state = UringTransfer::State::kFailed;
    transfer.error_number = EIO;
    return false;
  }
  if (result > 0 && transfer.done < transfer.length) return true;
  transfer.state = UringTransfer::State::kFinished;
  return false;
}

}  // namespace

bool Uring::Run(std::span<UringTransfer> transfers) {
  std::size_t next = 0;
  bool usable = true;
  for (;;) {
    while (usable && next < transfers.size() && pushed_ + under_way_ < queues_.submission_entries) {
      Push(transfers, next++);
    }
    if (pushed_ + under_way_ == 0) return usable;
    // With more to come, half a ring at a time keeps the disk busy while the next are prepared.
    const std::uint32_t all = pushed_ + under_way_;
    const std::uint32_t await = next < transfers.size() ? (all + 1) / 2 : all;
    const int taken = kernel_->Enter(pushed_, usable ? await : 1);
    CountTaken();
    if (taken < 0 && taken != -EINTR) {
      // Busy or broken: nothing new for this ring. What it has taken must still come back, for the kernel may be
      // writing into those buffers.
      usable = false;
      Withdraw();
      if (under_way_ > 0) std::this_thread::yield();
    }
    Reap(transfers, usable);
  }
}

void Uring::Push(std::span<UringTransfer> transfers, std::size_t index) {
  const UringTransfer& transfer = transfers[index];
  const std::uint32_t mask = queues_.submission_entries - 1;
  const std::uint32_t tail = *queues_.submission_tail;  // only we move it
  io_uring_sqe& entry = queues_.submissions[tail & mask];
  std::memset(&entry, 0, sizeof entry);
  entry.opcode = transfer.direction == UringTransfer::Direction::kRead ? IORING_OP_READ : IORING_OP_WRITE;
  entry.fd = transfer.descriptor;
  entry.off = transfer.offset + transfer.done;
  entry.addr = reinterpret_cast<std::uintptr_t>(transfer.bytes + transfer.done);
  entry.len = static_cast<std::uint32_t>(std::min(transfer.length - transfer.done, kTransferMax));
  entry.user_data = index;
  queues_.submission_array[tail & mask] = tail & mask;
  Store(queues_.submission_tail, tail + 1);
  ++pushed_;
}

std::uint32_t Uring::untaken() const { return *queues_.submission_tail - Load(queues_.submission_head); }

void Uring::CountTaken() {
  // The ring itself says what was taken; a failed call may have taken some.
  const std::uint32_t left = untaken();
  MR_CHECK(left <= pushed_, left, pushed_);
  under_way_ += pushed_ - left;
  pushed_ = left;
}

void Uring::Withdraw() {
  Store(queues_.submission_tail, Load(queues_.submission_head));
  pushed_ = 0;
}

void Uring::Reap(std::span<UringTransfer> transfers, bool again) {
  const std::uint32_t mask = queues_.completion_entries - 1;
  std::uint32_t head = *queues_.completion_head;  // only we move it
  const std::uint32_t tail = Load(queues_.completion_tail);
  for (; head != tail; ++head) {
    const io_uring_cqe& completion = queues_.completions[head & mask];
    MR_CHECK(under_way_ > 0 && completion.user_data < transfers.size(), under_way_, transfers.size());
    --under_way_;
    const auto index = static_cast<std::size_t>(completion.user_data);
    if (Advance(transfers[index], completion.res) && again) Push(transfers, index);
  }
  Store(queues_.completion_head, head);
}

}  // namespace millrace
