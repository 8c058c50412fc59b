// Transfers through an io_uring: many ranges under way at once, whatever order they end in.
//
// A buffer belongs to the kernel from the moment its entry was taken until its completion was seen; Run returns only
// when nothing is under way any more, whatever failed meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "env/uring_kernel.h"

namespace millrace {

/// One range to be read or written, and how far it came.
struct UringTransfer {
  enum class Direction : std::uint8_t { kRead, kWrite };
  enum class State : std::uint8_t {
    kLeft,      // not finished here: goes on at `done` by other means
    kFinished,  // whole, or up to the end of the file
    kFailed,    // with error_number
  };
  int descriptor = -1;
  Direction direction = Direction::kRead;
  State state = State::kLeft;
  int error_number = 0;
  std::uint64_t offset = 0;
  std::byte* bytes = nullptr;  // only read from if it is a write
  std::size_t length = 0, done = 0;
};

/// One thread at a time.
class Uring {
 public:
  explicit Uring(std::unique_ptr<UringKernel> kernel) : kernel_(std::move(kernel)), queues_(kernel_->queues()) {}

  /// Does what it can of `transfers`; short ones go on. A transfer that the ring does not take (or not now) stays
  /// kLeft. False: the ring is of no more use.
  bool Run(std::span<UringTransfer> transfers);

 private:
  void Push(std::span<UringTransfer> transfers, std::size_t index);
  /// Takes every completion there is; those that were short are pushed again if `again`.
  void Reap(std::span<UringTransfer> transfers, bool again);
  /// Forgets what was pushed and not taken.
  void Withdraw();
  [[nodiscard]] std::uint32_t untaken() const;
  void CountTaken();

  const std::unique_ptr<UringKernel> kernel_;
  const UringQueues queues_;
  std::uint32_t pushed_ = 0;  // not taken yet, as far as we know
  std::uint32_t under_way_ = 0;
};

}  // namespace millrace
