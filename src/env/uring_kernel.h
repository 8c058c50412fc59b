// The two ends of an io_uring: the queues that a process shares with its kernel, and the call that hands them over.
// Raw, without liburing: three system calls and two rings need no library.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

struct io_uring_sqe;
struct io_uring_cqe;

namespace millrace {

/// Where the two rings lie. One side writes `*_tail` of what it gives and reads the other's `*_head`, with release and
/// acquire.
struct UringQueues {
  std::uint32_t* submission_head = nullptr;  // moved by the kernel
  std::uint32_t* submission_tail = nullptr;
  std::uint32_t* submission_array = nullptr;
  io_uring_sqe* submissions = nullptr;
  std::uint32_t submission_entries = 0;  // a power of two
  std::uint32_t* completion_head = nullptr;
  std::uint32_t* completion_tail = nullptr;  // moved by the kernel
  io_uring_cqe* completions = nullptr;
  std::uint32_t completion_entries = 0;  // a power of two, at least submission_entries
};

/// A ring as some kernel made it. One thread at a time.
class UringKernel {
 public:
  virtual ~UringKernel() = default;
  [[nodiscard]] virtual const UringQueues& queues() const = 0;
  /// Hands over up to `submit` entries and waits until `complete` completions stand in the ring. Returns how many were
  /// taken, or minus errno.
  virtual int Enter(std::uint32_t submit, std::uint32_t complete) = 0;
};

/// A ring of the machine, proven to work by a probe of its operations and one empty round trip. None where it is
/// refused (ENOSYS, EPERM of a seccomp filter, ENOMEM of the locked-memory limit …) or lacks an operation.
std::unique_ptr<UringKernel> OpenUringKernel(std::uint32_t entries);

}  // namespace millrace
