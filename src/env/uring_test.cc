// Goal: whatever a kernel answers, a plan of ranges moves every byte once or says why not, and no buffer is given back
// while the kernel may still touch it. (R23 W18 W23 W41)
// Method: a kernel of our own at the other end of the queues, over a file in memory, that completes late, in any order,
// in part, or refuses; drawn from seeds. Then the machine's own ring, where a filter may deny each of its calls.
#include "env/uring.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <random>
#include <vector>

#include "env/posix_file_system.h"
#include "env/temporary_directory.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::uint32_t kEntries = 8;

/// How the kernel of a run behaves.
struct Manners {
  std::uint64_t seed = 1;
  bool in_part = false, out_of_order = false;
  int refuse_enter = 0;       // errno of every call from `refuse_from` on
  int refuse_from = 1 << 30;  // counted from 0
  int result = 0;             // errno of every completion, instead of a transfer
};

/// Moves bytes between the buffers and `disk` only when it completes an entry: a buffer freed before that is a use
/// after free.
class FakeKernel final : public UringKernel {
 public:
  FakeKernel(std::vector<std::byte>& disk, const Manners& manners)
      : disk_(disk), manners_(manners), random_(manners.seed) {
    queues_ = {.submission_head = &words_[0],
               .submission_tail = &words_[1],
               .submission_array = array_.data(),
               .submissions = submissions_.data(),
               .submission_entries = kEntries,
               .completion_head = &words_[2],
               .completion_tail = &words_[3],
               .completions = completions_.data(),
               .completion_entries = 2 * kEntries};
  }

  [[nodiscard]] const UringQueues& queues() const override { return queues_; }
  int Enter(std::uint32_t submit, std::uint32_t complete) override {
    const int call = calls_++;
    if (call >= manners_.refuse_from) {
      // What was taken before still comes back, some time.
      if (!taken_.empty() && random_() % 2 == 0) CompleteOne();
      return -manners_.refuse_enter;
    }
    std::uint32_t take = submit;
    if (manners_.in_part && submit > 1) take = 1 + static_cast<std::uint32_t>(random_() % submit);
    for (std::uint32_t i = 0; i < take; ++i) {
      taken_.push_back(submissions_[array_[words_[0]++ & (kEntries - 1)]]);
    }
    for (std::uint32_t i = 0; i < complete && !taken_.empty(); ++i) CompleteOne();
    return static_cast<int>(take);
  }
  [[nodiscard]] std::size_t under_way() const { return taken_.size(); }

 private:
  void CompleteOne() {
    const std::size_t which = manners_.out_of_order ? random_() % taken_.size() : 0;
    const io_uring_sqe entry = taken_[which];
    taken_.erase(taken_.begin() + static_cast<std::ptrdiff_t>(which));
    completions_[words_[3] & (2 * kEntries - 1)] = {.user_data = entry.user_data, .res = Move(entry), .flags = 0};
    ++words_[3];
  }
  std::int32_t Move(const io_uring_sqe& entry) {
    if (manners_.result != 0) return -manners_.result;
    auto* buffer = reinterpret_cast<std::byte*>(entry.addr);
    std::size_t length = entry.len;
    if (manners_.in_part && length > 1 && random_() % 2 == 0) length = 1 + random_() % length;
    if (entry.opcode == IORING_OP_READ) {
      length = entry.off >= disk_.size() ? 0 : std::min<std::size_t>(length, disk_.size() - entry.off);
      std::copy_n(disk_.begin() + static_cast<std::ptrdiff_t>(entry.off), length, buffer);
    } else {
      disk_.resize(std::max<std::size_t>(disk_.size(), entry.off + length));
      std::copy_n(buffer, length, disk_.begin() + static_cast<std::ptrdiff_t>(entry.off));
    }
    return static_cast<std::int32_t>(length);
  }

  std::vector<std::byte>& disk_;
  const Manners manners_;
  std::mt19937_64 random_;
  std::array<std::uint32_t, 4> words_{};
  std::array<std::uint32_t, kEntries> array_{};
  std::array<io_uring_sqe, kEntries> submissions_{};
  std::array<io_uring_cqe, 2 * kEntries> completions_{};
  std::vector<io_uring_sqe> taken_;
  int calls_ = 0;
  UringQueues queues_;
};

std::vector<std::byte> Noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

/// A plan over `disk` and the bytes each range shall get.
struct ReadPlan {
  explicit ReadPlan(const std::vector<std::byte>& disk, std::size_t ranges, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i < ranges; ++i) {
      const std::size_t offset = random() % (disk.size() + 100), length = random() % 300;
      buffers.emplace_back(length);
      const std::size_t there = offset >= disk.size() ? 0 : std::min(length, disk.size() - offset);
      expected.emplace_back(disk.begin() + static_cast<std::ptrdiff_t>(std::min(offset, disk.size())),
                            disk.begin() + static_cast<std::ptrdiff_t>(std::min(offset, disk.size()) + there));
      transfers.push_back({.offset = offset, .bytes = buffers.back().data(), .length = length});
    }
  }
  void ExpectWholeOrLeft() const {
    for (std::size_t i = 0; i < transfers.size(); ++i) {
      if (transfers[i].state == UringTransfer::State::kFinished) EXPECT_EQ(transfers[i].done, expected[i].size());
      ASSERT_LE(transfers[i].done, expected[i].size());
      EXPECT_TRUE(std::equal(buffers[i].begin(), buffers[i].begin() + static_cast<std::ptrdiff_t>(transfers[i].done),
                             expected[i].begin()));
    }
  }
  [[nodiscard]] std::size_t Count(UringTransfer::State state) const {
    return static_cast<std::size_t>(std::ranges::count(transfers, state, &UringTransfer::state));
  }

  std::vector<std::vector<std::byte>> buffers, expected;
  std::vector<UringTransfer> transfers;
};

TEST(UringTest, ReadsEveryRangeWholeThoughCompletionsArePartialAndInAnyOrder) {
  auto disk = Noise(5000, 1);
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Uring ring(std::make_unique<FakeKernel>(disk, Manners{.seed = seed, .in_part = true, .out_of_order = true}));
    for (std::uint64_t round = 0; round < 3; ++round) {
      ReadPlan plan(disk, seed % 30, seed * 10 + round);
      EXPECT_TRUE(ring.Run(plan.transfers));
      EXPECT_EQ(plan.Count(UringTransfer::State::kFinished), plan.transfers.size()) << "seed " << seed;
      plan.ExpectWholeOrLeft();
    }
  }
}

TEST(UringTest, WritesEveryRangeWholeThoughCompletionsArePartialAndInAnyOrder) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::vector<std::byte> disk;
    Uring ring(std::make_unique<FakeKernel>(disk, Manners{.seed = seed, .in_part = true, .out_of_order = true}));
    auto source = Noise(4000, seed);
    std::vector<UringTransfer> transfers;
    for (std::size_t at = 0; at < source.size(); at += 160) {
      transfers.push_back(
          {.direction = UringTransfer::Direction::kWrite, .offset = at, .bytes = source.data() + at, .length = 160});
    }
    EXPECT_TRUE(ring.Run(transfers));
    EXPECT_EQ(disk, source) << "seed " << seed;
  }
}

TEST(UringTest, ARefusedCallWaitsForWhatIsUnderWayAndLeavesTheRest) {
  auto disk = Noise(5000, 2);
  for (const int error_number : {EAGAIN, EBUSY, EPERM, ENOMEM, EBADF}) {
    for (int from = 0; from < 12; ++from) {
      const Manners manners{.seed = static_cast<std::uint64_t>(from) + 1,
                            .in_part = true,
                            .out_of_order = true,
                            .refuse_enter = error_number,
                            .refuse_from = from};
      auto owned = std::make_unique<FakeKernel>(disk, manners);
      const FakeKernel& kernel = *owned;
      Uring ring(std::move(owned));
      ReadPlan plan(disk, 40, 3);
      EXPECT_FALSE(ring.Run(plan.transfers));
      EXPECT_EQ(kernel.under_way(), 0u) << "a buffer is still the kernel's";
      EXPECT_EQ(plan.Count(UringTransfer::State::kFailed), 0u);
      if (from == 0) EXPECT_EQ(plan.Count(UringTransfer::State::kLeft), plan.transfers.size());
      plan.ExpectWholeOrLeft();
    }
  }
}

TEST(UringTest, AnInterruptedCallIsMadeAgain) {
  auto disk = Noise(500, 4);
  class Interrupted final : public UringKernel {
   public:
    explicit Interrupted(std::vector<std::byte>& disk) : below_(disk, {}) {}
    [[nodiscard]] const UringQueues& queues() const override { return below_.queues(); }
    int Enter(std::uint32_t submit, std::uint32_t complete) override {
      return ++calls_ % 3 != 0 ? -EINTR : below_.Enter(submit, complete);
    }

   private:
    FakeKernel below_;
    int calls_ = 0;
  };
  Uring ring(std::make_unique<Interrupted>(disk));
  ReadPlan plan(disk, 20, 5);
  EXPECT_TRUE(ring.Run(plan.transfers));
  EXPECT_EQ(plan.Count(UringTransfer::State::kFinished), plan.transfers.size());
}

TEST(UringTest, AnErrorOfTheDiskIsFinalAndARefusalIsNot) {
  auto disk = Noise(500, 6);
  for (const auto& [error_number, state] :
       {std::pair(EIO, UringTransfer::State::kFailed), std::pair(ENOSPC, UringTransfer::State::kFailed),
        std::pair(EAGAIN, UringTransfer::State::kLeft), std::pair(EINVAL, UringTransfer::State::kLeft),
        std::pair(EOPNOTSUPP, UringTransfer::State::kLeft)}) {
    Uring ring(std::make_unique<FakeKernel>(disk, Manners{.result = error_number}));
    ReadPlan plan(disk, 20, 7);
    EXPECT_TRUE(ring.Run(plan.transfers));
    EXPECT_EQ(plan.Count(state), plan.transfers.size()) << error_number;
  }
}

/// Reads and writes plans on a file of the machine through `file_system`; false on the first difference.
bool PlansWork(FileSystem& file_system) {
  const TemporaryDirectory directory;
  const auto source = Noise(200'000, 8);
  bool same = true;
  {
    auto file = file_system.Open(directory.path() / "f",
                                 {FileAccess::kReadWrite, FileCreation::kCreateNew, FilePath::kBuffered});
    for (int round = 0; round < 3 && file && same; ++round) {
      std::vector<FileWrite> writes;
      std::vector<FileRead> reads;
      std::vector<std::byte> got(source.size() + 1000);
      for (std::size_t at = 0; at < source.size(); at += 1000) {
        writes.push_back({at, std::span(source).subspan(at, 1000)});
        reads.push_back({at, std::span(got).subspan(at, at + 1000 == source.size() ? 2000 : 1000)});
      }
      same = (*file)->WriteMany(writes) && (*file)->ReadMany(reads) && reads.back().got == 1000 &&
             std::equal(source.begin(), source.end(), got.begin());
    }
    same = same && file;
  }
  return same;
}

TEST(RingPlansTest, AMachineWithoutRingsGetsNone) {
  EXPECT_EQ(RingPlans::Probe([](std::uint32_t) -> std::unique_ptr<UringKernel> { return nullptr; }), nullptr);
}

/// Made without trouble, and every call refused: what a limit that is met later looks like.
class Unwilling final : public UringKernel {
 public:
  Unwilling() : below_(disk_, Manners{.refuse_enter = EAGAIN, .refuse_from = 0}) {}
  [[nodiscard]] const UringQueues& queues() const override { return below_.queues(); }
  int Enter(std::uint32_t submit, std::uint32_t complete) override { return below_.Enter(submit, complete); }

 private:
  std::vector<std::byte> disk_;
  FakeKernel below_;
};

TEST(RingPlansTest, AFailedSubmissionIsDoneByPlainCallsAndTheNextWorksToo) {
  PosixFileSystem file_system(
      RingPlans::Probe([](std::uint32_t) -> std::unique_ptr<UringKernel> { return std::make_unique<Unwilling>(); }),
      "io_uring");
  EXPECT_TRUE(PlansWork(file_system));
}

TEST(RingPlansTest, ARingThatCannotBeMadeAgainLeavesPlainCalls) {
  static int rings = 0;
  rings = 0;
  PosixFileSystem file_system(RingPlans::Probe([](std::uint32_t) -> std::unique_ptr<UringKernel> {
                                if (++rings > 1) return nullptr;
                                return std::make_unique<Unwilling>();
                              }),
                              "io_uring");
  EXPECT_TRUE(PlansWork(file_system));
  EXPECT_GT(rings, 1);
}

/// From here on this process gets `error_number` from system call `number`.
void Deny(long number, int error_number) {
  const std::array filter = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error_number)),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = filter.size(), .filter = const_cast<sock_filter*>(filter.data())};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    ::_exit(2);
  }
}

TEST(RingDeniedDeathTest, AContainerThatForbidsAnyOfItsCallsGetsPlainCalls) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const long number : {__NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register}) {
    for (const int error_number : {EPERM, ENOSYS}) {
      EXPECT_EXIT(
          {
            Deny(number, error_number);
            PosixFileSystem file_system(IoBackEnd::kRing);
            ::_exit(file_system.io_back_end() == "positional calls" && PlansWork(file_system) ? 0 : 1);
          },
          testing::ExitedWithCode(0), "");
    }
  }
}

TEST(RingDeniedDeathTest, ARingForbiddenWhileInUseGoesOnWithPlainCalls) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        PosixFileSystem file_system(IoBackEnd::kRing);
        if (!PlansWork(file_system)) ::_exit(3);
        Deny(__NR_io_uring_enter, EPERM);
        ::_exit(PlansWork(file_system) ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace millrace
