// Goal: many threads append, wait, read and recycle at once and nothing is lost, repeated or reordered within a stream;
// no wake-up is missed; on a full disk they do not spin. Method: a real file system, one worker running the steps,
// writers that block, writers that pass callbacks, a reader and a recycler; then everything is read back and reopened.
// Run under TSan as well. Groups lie over the end of the staging ring and are plans of two
// ranges; on both back ends. Proves B73 R23.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <tuple>

#include "env/posix_file_system.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "env/system_clock.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

class WalThreadsTest : public testing::TestWithParam<std::tuple<SyncPolicy::Kind, IoBackEnd>> {
 protected:
  WalThreadsTest() : directory_(std::filesystem::temp_directory_path() / ("millrace-wal-threads-" + UniqueName())) {}
  ~WalThreadsTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  static std::string UniqueName() {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = info->name();
    for (char& letter : name) letter = letter == '/' ? '-' : letter;
    return name + "-" + std::to_string(::getpid());
  }
  static SyncPolicy::Kind sync() { return std::get<0>(GetParam()); }
  [[nodiscard]] WalOptions Options() const {
    return {.directory = directory_,
            .sync = {sync(), std::chrono::milliseconds(sync() == SyncPolicy::Kind::kInterval ? 2 : 0)},
            .wal_bytes_max = 64 << 20,
            .frame_bytes_max = 1 << 20,
            .staging_bytes = 256 << 10,
            .file_bytes = 1 << 20};
  }

  const std::filesystem::path directory_;
  PosixFileSystem file_system_{std::get<1>(GetParam())};
  SystemClock clock_;
};

INSTANTIATE_TEST_SUITE_P(Policies, WalThreadsTest,
                         testing::Combine(testing::Values(SyncPolicy::Kind::kEach, SyncPolicy::Kind::kInterval,
                                                          SyncPolicy::Kind::kNone),
                                          testing::Values(IoBackEnd::kPositional, IoBackEnd::kRing)));

Result<WalExtent> AppendPatiently(DiskWal& wal, Clock& clock, std::string_view payload, WalStream stream) {
  for (;;) {
    const std::array pieces = {AsBytes(payload)};
    auto extent = wal.TryAppend(stream, pieces);
    if (extent || extent.error().code() != ErrorCode::kUnavailable) return extent;
    if (auto room = wal.AwaitRoom(payload.size(), clock.Monotonic() + std::chrono::seconds(20)); !room) {
      return room.error();
    }
  }
}

TEST_P(WalThreadsTest, SixtyFourWritersLoseNothing) {
  constexpr int kBlocking = 56, kCalling = 8, kEach = 60;
  std::map<std::uint64_t, std::vector<std::string>> expected;
  {
    auto opened = OpenWal(file_system_, clock_, Options());
    DiskWal& wal = *opened.wal;
    std::atomic<std::int64_t> told = 0;
    wal.SetDurableListener([&](WalPosition end) {
      EXPECT_GT(end.value(), told.load());
      told = end.value();
    });
    std::atomic<bool> stop = false;
    std::thread worker([&] {
      while (!stop) {
        bool again = false;
        for (const auto& step : {wal.CommitOnce(), wal.SyncDueOnce(), wal.PrepareFilesOnce()}) {
          EXPECT_TRUE(step);
          again = again || (step && *step);
        }
        if (!again) wal.AwaitWork(wal.NextDue());
      }
    });
    std::atomic<int> called = 0;
    std::vector<std::thread> writers;
    for (int t = 0; t < kBlocking + kCalling; ++t) {
      auto& payloads = expected[static_cast<std::uint64_t>(t)];
      for (int n = 0; n < kEach; ++n) {
        payloads.push_back(
            Payload(static_cast<std::uint64_t>(t * kEach + n), n % 23 == 22 ? 200 << 10 : 40 * (n % 30)));
      }
      writers.emplace_back([&, t] {
        for (const std::string& payload : payloads) {
          const auto extent = AppendPatiently(wal, clock_, payload, WalStream(static_cast<std::uint64_t>(t)));
          ASSERT_TRUE(extent) << extent.error().ToString();
          if (t < kBlocking) {
            const auto durable = wal.AwaitDurable(extent->end, clock_.Monotonic() + std::chrono::seconds(30));
            ASSERT_TRUE(durable) << durable.error().ToString();
            EXPECT_GE(told.load(), extent->end.value());
          } else {
            wal.OnDurable(extent->end, [&called](const Result<void>& result) { called += result ? 1 : 0; });
          }
        }
      });
    }
    std::thread reader([&] {
      WalPosition at = wal.begin();
      while (!stop) {
        const auto frames = wal.Read(WalStream(3), {at, wal.durable_end()}, 64 << 10);
        ASSERT_TRUE(frames) << frames.error().ToString();
        at = frames->next;
        std::this_thread::yield();
      }
    });
    for (auto& writer : writers) writer.join();
    stop = true;
    wal.Wake();
    worker.join();
    reader.join();
    ASSERT_TRUE(wal.Close());
    EXPECT_EQ(called.load(), kCalling * kEach);
  }
  auto opened = OpenWal(file_system_, clock_, Options());
  std::map<std::uint64_t, std::vector<std::string>> found;
  for (auto& frame : opened.replay->frames) found[frame.stream.value()].push_back(std::move(frame.payload));
  EXPECT_EQ(found, expected);
  ASSERT_TRUE(opened->Close());
}

TEST_P(WalThreadsTest, RecyclingWhileWritingKeepsTheRest) {
  auto options = Options();
  options.wal_bytes_max = 4 << 20;
  auto opened = OpenWal(file_system_, clock_, options);
  DiskWal& wal = *opened.wal;
  std::atomic<std::int64_t> safe = 0;
  std::atomic<bool> stop = false;
  std::thread recycler([&] {
    while (!stop) {
      ASSERT_TRUE(wal.Recycle(WalPosition(safe.load()), DiskWal::Seal::kSealActive));
      std::this_thread::yield();
    }
  });
  std::thread steps([&] {
    while (!stop) {
      for (const auto& step : {wal.CommitOnce(), wal.SyncDueOnce(), wal.PrepareFilesOnce()}) ASSERT_TRUE(step);
      std::this_thread::yield();
    }
  });
  std::vector<WalExtent> extents;
  for (std::uint64_t n = 0; n < 600; ++n) {
    const auto extent = AppendPatiently(wal, clock_, Payload(n, 30'000), WalStream(1));
    ASSERT_TRUE(extent) << extent.error().ToString();
    extents.push_back(*extent);
    if (n >= 20) {
      // The last twenty are always there to be read.
      safe = extents[n - 20].begin.value();
      const auto frames = wal.Read(WalStream(1), extents[n - 20], 1);
      ASSERT_TRUE(frames) << n << ": " << frames.error().ToString();
      ASSERT_EQ(frames->frames.size(), 1U) << n;
      EXPECT_EQ(AsText(frames->frames[0].payload), Payload(n - 20, 30'000));
    }
  }
  stop = true;
  wal.Wake();
  recycler.join();
  steps.join();
  ASSERT_TRUE(wal.Close());
  EXPECT_LE(wal.space().used, options.wal_bytes_max);
}

// How often a caller looks is a matter of its patience, not of how many others look.
TEST(WalFullDiskTest, WaitingCallersDoNotWakeEachOther) {
  constexpr int kCallers = 4, kLooksMax = 8;
  SimFileSystem disk;
  SimClock clock;  // stands still: patience goes down by the pauses that were waited out
  auto wal = OpenWal(disk, clock);
  const std::string payload = Payload(1, 3000);
  disk.SetCapacity(0);
  while (Append(*wal.wal, payload)) {
  }
  const std::uint64_t before = disk.calls(SimOperation::kCreate);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      const auto room = wal->AwaitRoom(payload.size(), clock.Monotonic() + std::chrono::milliseconds(300));
      ASSERT_FALSE(room);
      EXPECT_EQ(room.error().code(), ErrorCode::kOutOfSpace);
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_GE(disk.calls(SimOperation::kCreate) - before, 2);
  EXPECT_LE(disk.calls(SimOperation::kCreate) - before, kCallers * kLooksMax);
}

}  // namespace
}  // namespace millrace
