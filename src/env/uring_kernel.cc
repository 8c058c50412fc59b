#include "env/uring_kernel.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace millrace {
namespace {

int Setup(std::uint32_t entries, io_uring_params& parameters) {
  return static_cast<int>(::syscall(__NR_io_uring_setup, entries, &parameters));
}

class Mapping {
 public:
  Mapping() = default;
  ~Mapping() {
    if (address_ != nullptr) ::munmap(address_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  bool Map(int descriptor, std::size_t size, std::uint64_t what) {
    void* address =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, static_cast<off_t>(what));
    if (address == MAP_FAILED) return false;
    address_ = address;
    size_ = size;
    return true;
  }
  [[nodiscard]] std::byte* at(std::size_t offset) const { return static_cast<std::byte*>(address_) + offset; }

 private:
  void* address_ = nullptr;
  std::size_t size_ = 0;
};

class MachineUring final : public UringKernel {
 public:
  explicit MachineUring(int descriptor) : descriptor_(descriptor) {}
  ~MachineUring() override { ::close(descriptor_); }
  MachineUring(const MachineUring&) = delete;
  MachineUring& operator=(const MachineUring&) = delete;

  /// False: this kernel's ring is not what is needed here.
  bool Prepare(const io_uring_params& parameters) {
    // Every kernel since 5.4 has both rings in one mapping; older ones have no plain reads and writes either.
    if ((parameters.features & IORING_FEAT_SINGLE_MMAP) == 0 || !HasOperations()) return false;
    const std::size_t submission_bytes =
        parameters.sq_off.array + parameters.sq_entries * sizeof(*queues_.submission_array);
    const std::size_t completion_bytes = parameters.cq_off.cqes + parameters.cq_entries * sizeof(io_uring_cqe);
    if (!rings_.Map(descriptor_, std::max(submission_bytes, completion_bytes), IORING_OFF_SQ_RING)) return false;
    if (!entries_.Map(descriptor_, parameters.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES)) return false;
    queues_.submission_head = Word(parameters.sq_off.head);
    queues_.submission_tail = Word(parameters.sq_off.tail);
    queues_.submission_array = Word(parameters.sq_off.array);
    queues_.submissions = reinterpret_cast<io_uring_sqe*>(entries_.at(0));
    queues_.submission_entries = parameters.sq_entries;
    queues_.completion_head = Word(parameters.cq_off.head);
    queues_.completion_tail = Word(parameters.cq_off.tail);
    queues_.completions = reinterpret_cast<io_uring_cqe*>(rings_.at(parameters.cq_off.cqes));
    queues_.completion_entries = parameters.cq_entries;
    return true;
  }

  [[nodiscard]] const UringQueues& queues() const override { return queues_; }
  int Enter(std::uint32_t submit, std::uint32_t complete) override {
    const unsigned flags = complete > 0 ? IORING_ENTER_GETEVENTS : 0;
    const long taken = ::syscall(__NR_io_uring_enter, descriptor_, submit, complete, flags, nullptr, 0);
    return taken < 0 ? -errno : static_cast<int>(taken);
  }

 private:
  std::uint32_t* Word(std::size_t offset) { return reinterpret_cast<std::uint32_t*>(rings_.at(offset)); }

  [[nodiscard]] bool HasOperations() const {
    constexpr unsigned kOperations = IORING_OP_LAST;
    alignas(io_uring_probe) std::array<std::byte, sizeof(io_uring_probe) + kOperations * sizeof(io_uring_probe_op)>
        room{};
    auto* probe = reinterpret_cast<io_uring_probe*>(room.data());
    if (::syscall(__NR_io_uring_register, descriptor_, IORING_REGISTER_PROBE, probe, kOperations) != 0) return false;
    return std::ranges::all_of(std::array{IORING_OP_NOP, IORING_OP_READ, IORING_OP_WRITE}, [&](unsigned operation) {
      return operation < probe->ops_len && (probe->ops[operation].flags & IO_URING_OP_SUPPORTED) != 0;
    });
  }

  const int descriptor_;
  Mapping rings_, entries_;
  UringQueues queues_;
};

/// A filter may allow the setup and deny the call that matters.
bool AnswersOnce(UringKernel& ring) {
  const UringQueues& queues = ring.queues();
  std::memset(&queues.submissions[0], 0, sizeof(io_uring_sqe));
  queues.submissions[0].opcode = IORING_OP_NOP;
  queues.submission_array[0] = 0;
  std::atomic_ref(*queues.submission_tail).store(1, std::memory_order_release);
  int taken = 0;
  do {
    taken = ring.Enter(1, 1);
  } while (taken == -EINTR);
  if (taken != 1 || std::atomic_ref(*queues.completion_tail).load(std::memory_order_acquire) != 1) return false;
  std::atomic_ref(*queues.completion_head).store(1, std::memory_order_release);
  return queues.completions[0].res == 0;
}

}  // namespace

std::unique_ptr<UringKernel> OpenUringKernel(std::uint32_t entries) {
  io_uring_params parameters = {};
  const int descriptor = Setup(entries, parameters);
  if (descriptor < 0) return nullptr;
  auto ring = std::make_unique<MachineUring>(descriptor);
  if (!ring->Prepare(parameters) || !AnswersOnce(*ring)) return nullptr;
  return ring;
}

}  // namespace millrace
