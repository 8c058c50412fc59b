// Goal: trouble that one meets while others wait: a sync that fails where more was written than is durable, a full disk
// in the middle of a rescue, staging that fails, a sync that does not end. Nothing is lost that was acknowledged,
// every caller is told, none waits beyond its time or looks all the time, and the log goes on when the disk does.
// Method: the simulated disk with one fault, then healed, used, crashed and read whole; syncs that are held up until
// the test lets them go. Proves rows 12 and 13 of the reliability table for every sync policy.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>

#include "base/deadline.h"
#include "wal/file_header.h"
#include "wal/frame.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

/// Syncs of WAL files wait while they are held up.
class HeldFileSystem final : public FileSystem {
 public:
  explicit HeldFileSystem(FileSystem& below) : below_(below) {}

  void Hold() { held_ = true; }
  void LetGo() {
    held_ = false;
    held_.notify_all();
  }
  void AwaitHeldUp() {
    while (waiting_ == 0) std::this_thread::yield();
  }

  Result<std::unique_ptr<File>> Open(const std::filesystem::path& path, const FileOptions& options) override {
    auto opened = below_.Open(path, options);
    if (!opened || path.extension() != ".wal") return opened;
    return std::unique_ptr<File>(new HeldFile(*this, *std::move(opened)));
  }
  Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    return below_.Rename(from, to);
  }
  Result<void> Remove(const std::filesystem::path& path) override { return below_.Remove(path); }
  Result<void> CreateDirectories(const std::filesystem::path& path) override { return below_.CreateDirectories(path); }
  Result<void> SyncDirectory(const std::filesystem::path& path) override { return below_.SyncDirectory(path); }
  Result<std::vector<DirectoryEntry>> List(const std::filesystem::path& path) override { return below_.List(path); }
  Result<std::unique_ptr<FileLock>> Lock(const std::filesystem::path& path, std::string_view holder) override {
    return below_.Lock(path, holder);
  }
  Result<std::uint64_t> FreeSpace(const std::filesystem::path& path) override { return below_.FreeSpace(path); }

 private:
  class HeldFile final : public File {
   public:
    HeldFile(HeldFileSystem& system, std::unique_ptr<File> below) : system_(system), below_(std::move(below)) {}
    Result<std::size_t> ReadAt(std::uint64_t at, std::span<std::byte> out) override { return below_->ReadAt(at, out); }
    Result<void> WriteAt(std::uint64_t at, std::span<const std::byte> bytes) override {
      return below_->WriteAt(at, bytes);
    }
    Result<void> Sync() override {
      ++system_.waiting_;
      system_.held_.wait(true);
      --system_.waiting_;
      return below_->Sync();
    }
    Result<void> Allocate(std::uint64_t size) override { return below_->Allocate(size); }
    Result<void> Truncate(std::uint64_t size) override { return below_->Truncate(size); }
    Result<std::uint64_t> Size() override { return below_->Size(); }
    Result<std::unique_ptr<MappedRegion>> Map(std::size_t size) override { return below_->Map(size); }

   private:
    HeldFileSystem& system_;
    const std::unique_ptr<File> below_;
  };

  FileSystem& below_;
  std::atomic<bool> held_ = false;
  std::atomic<int> waiting_ = 0;
};

WalOptions Under(SyncPolicy sync) {
  auto options = SmallWal();
  options.sync = sync;
  return options;
}

const SyncPolicy kPolicies[] = {SyncPolicy::Each(), SyncPolicy::Interval(std::chrono::milliseconds(50)),
                                SyncPolicy::None()};

enum class Fails { kSync, kWrite };

// More was given to the file than is durable, and no ring holds it any more: it is read back and goes along.
/// Every write of the staging file fails from now on, and says so in `fired`.
void FailStagingWrites(SimFileSystem& disk, bool& fired) {
  disk.SetFaultPlan(
      [&fired](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
        if (operation != SimOperation::kWrite || path.filename() != "staging") return std::nullopt;
        fired = true;
        return SimFault{};
      });
}

TEST(WalTroubleTest, OneFailedSyncOrWriteUnderAnyPolicyIsNotTheEnd) {
  for (const SyncPolicy& sync : kPolicies) {
    for (const Fails fails : {Fails::kSync, Fails::kWrite}) {
      for (const bool clean : {true, false}) {
        SimFileSystem disk;
        SimClock clock;
        auto wal = OpenWal(disk, clock, Under(sync));
        std::vector<std::string> written = {"before"};
        ASSERT_TRUE(AppendDurably(*wal.wal, written[0]));
        for (std::uint64_t n = 0; n < 9; ++n) {
          written.push_back(Payload(n, 3'000));
          ASSERT_TRUE(Append(*wal.wal, written.back()));
          ASSERT_TRUE(wal->CommitOnce());  // writes out when a quarter of the ring is full; syncs under Each alone
        }
        std::filesystem::path failed;
        std::uint64_t touched_again = 0;
        const auto what = fails == Fails::kSync ? SimOperation::kSync : SimOperation::kWrite;
        disk.SetFaultPlan(
            [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
              if (path.extension() != ".wal") return std::nullopt;
              touched_again += path == failed && operation == SimOperation::kSync ? 1 : 0;
              if (operation != what || !failed.empty()) return std::nullopt;
              failed = path;
              return SimFault{.bytes_written = 2048, .pages_left_clean = clean};
            });
        written.push_back("waited for");
        const auto waited_for = AppendDurably(*wal.wal, written.back());
        ASSERT_TRUE(waited_for) << waited_for.error().ToString();
        ASSERT_FALSE(failed.empty());
        for (std::uint64_t n = 0; n < 10; ++n) {
          written.push_back(Payload(100 + n, 2'000));
          ASSERT_TRUE(AppendDurably(*wal.wal, written.back()));
        }
        EXPECT_EQ(touched_again, 0U) << "a failed file was synced again";
        disk.SetFaultPlan(nullptr);
        disk.Crash();
        wal = OpenWal(disk, clock, Under(sync));
        EXPECT_EQ(wal.replay->payloads(), written);
        EXPECT_TRUE(wal.replay->damage.empty());
      }
    }
  }
}

TEST(WalTroubleTest, WhatCannotBeReadBackIsNotPassedOver) {
  SimFileSystem disk;
  SimClock clock;
  auto wal = OpenWal(disk, clock, Under(SyncPolicy::None()));
  ASSERT_TRUE(AppendDurably(*wal.wal, "before"));
  for (std::uint64_t n = 1; n < 8; ++n) {
    ASSERT_TRUE(Append(*wal.wal, Payload(n, 3'000)));
    ASSERT_TRUE(wal->CommitOnce());
  }
  std::filesystem::path failed;
  disk.SetFaultPlan(
      [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
        if (operation == SimOperation::kSync && path.extension() == ".wal" && failed.empty()) {
          failed = path;
          return SimFault{};
        }
        if (operation == SimOperation::kRead && path == failed) return SimFault{};
        return std::nullopt;
      });
  const auto lost = AppendDurably(*wal.wal, "after");
  ASSERT_FALSE(lost);
  EXPECT_FALSE(lost.error().retryable());
  ASSERT_FALSE(failed.empty());
  EXPECT_FALSE(Append(*wal.wal, "more")) << "the log goes on behind a hole";
}

// What the rescue reads back must be all that was written. Unless it looks, a frame that reads as zeros passes for the
// end of a group, and a damaged frame for nothing at all.
TEST(WalTroubleTest, AFrameThatIsMissingInWhatIsReadBackIsNotPassedOver) {
  for (const bool zeros : {true, false}) {
    SimFileSystem disk;
    SimClock clock;
    auto wal = OpenWal(disk, clock, Under(SyncPolicy::None()));
    ASSERT_TRUE(AppendDurably(*wal.wal, "before"));
    ASSERT_TRUE(Append(*wal.wal, Payload(1, 6'000)));
    const auto missing = Append(*wal.wal, Payload(2, 2'080));
    ASSERT_TRUE(missing);
    ASSERT_EQ(missing->end, BlockUp(missing->end));
    ASSERT_TRUE(*wal->CommitOnce());  // written, not synced
    const auto file = std::filesystem::path(kWalDirectory) / "00000001.wal";
    const auto at = kWalFileHeaderBytes + static_cast<std::uint64_t>(missing->begin.value());
    if (zeros) {
      ASSERT_TRUE(Append(*wal.wal, Payload(3, 8'192 - kWalFrameHeaderBytes)));  // a group behind it
      ASSERT_TRUE(*wal->CommitOnce());
      disk.Overwrite(file, at, std::vector<std::byte>(static_cast<std::size_t>(missing->end - missing->begin)));
    } else {
      disk.FlipBit(file, at + 8, 0);
    }
    bool failed = false;
    disk.SetFaultPlan(
        [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
          if (operation != SimOperation::kSync || path != file || failed) return std::nullopt;
          failed = true;
          return SimFault{};
        });
    const auto lost = AppendDurably(*wal.wal, "after");
    ASSERT_FALSE(lost) << (zeros ? "zeros" : "damage");
    EXPECT_FALSE(lost.error().retryable());
    ASSERT_TRUE(failed);
  }
}

TEST(WalTroubleTest, AFileThatFailedKeepsWhatItHoldsAndOneThatWasNotBegunIsUsedAgain) {
  for (const bool rolled : {false, true}) {
    SimFileSystem disk;
    SimClock clock;
    auto wal = OpenWal(disk, clock);
    std::vector<std::string> written;
    for (std::uint64_t n = 0; n < 13; ++n) {  // one more fits the first file
      written.push_back(Payload(n, 3'000));
      ASSERT_TRUE(AppendDurably(*wal.wal, written.back()));
    }
    for (std::uint64_t n = 13; n < (rolled ? 16U : 14U); ++n) {
      written.push_back(Payload(n, 3'000));
      ASSERT_TRUE(Append(*wal.wal, written.back()));
    }
    ASSERT_EQ(wal->Stats().files, rolled ? 2U : 1U);
    ASSERT_EQ(wal->Stats().pool_files, 0U);
    bool failed = false;
    disk.SetFaultPlan(
        [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
          if (operation != SimOperation::kSync || path.filename() != "00000001.wal" || failed) return std::nullopt;
          failed = true;
          return SimFault{};
        });
    ASSERT_TRUE(wal->AwaitDurable(wal->end()));
    ASSERT_TRUE(failed);
    EXPECT_EQ(wal->Stats().files, 2U);
    EXPECT_EQ(wal->Stats().pool_files, rolled ? 1U : 0U);
    ASSERT_TRUE(wal->Recycle(wal->begin(), DiskWal::Seal::kKeepActive));
    const auto held = wal->Read(WalStream(1), {WalPosition(0), wal->end()}, 1 << 20);
    ASSERT_TRUE(held) << held.error().ToString();
    EXPECT_EQ(held->frames.size(), written.size());
    disk.SetFaultPlan(nullptr);
    disk.Crash();
    EXPECT_EQ(OpenWal(disk, clock).replay->payloads(), written);
  }
}

// Its handle may be open still, and takes everything: what was written there would be gone with the process.
TEST(WalTroubleTest, AFileLeftAsideThatARecoveryRemovesIsNotUsedAgain) {
  SimFileSystem disk;
  SimClock clock;
  const auto first = std::filesystem::path(kWalDirectory) / WalFileName(1);
  bool failed = false, removable = false;
  const auto plan = [&](SimOperation operation, const std::filesystem::path& path,
                        std::uint64_t) -> std::optional<SimFault> {
    if (operation == SimOperation::kRemove && !removable) return SimFault{};
    if (operation != SimOperation::kSync || path != first || failed) return std::nullopt;
    failed = true;
    return SimFault{};
  };
  std::vector<std::string> written = {Payload(0, 3'000)};
  {
    auto wal = OpenWal(disk, clock);
    disk.SetFaultPlan(plan);
    ASSERT_TRUE(AppendDurably(*wal.wal, written.back())) << "in a fresh file";
    ASSERT_TRUE(failed);
    disk.KillProcess();
  }
  failed = false;
  removable = true;
  auto wal = OpenWal(disk, clock);
  ASSERT_TRUE(failed) << "it could not be marked free, and was removed";
  disk.SetFaultPlan(nullptr);
  const auto files = disk.Files();
  ASSERT_EQ(std::ranges::find(files, first), files.end());
  EXPECT_EQ(wal->Stats().pool_files, 0U);
  for (std::uint64_t n = 1; wal->Stats().files < 3; ++n) {
    written.push_back(Payload(n, 3'000));
    ASSERT_TRUE(AppendDurably(*wal.wal, written.back()));
  }
  disk.KillProcess();
  EXPECT_EQ(OpenWal(disk, clock).replay->payloads(), written);
}

// Without it the chain would begin with a file whose header may not be there.
TEST(WalTroubleTest, NoFileIsRecycledBeforeTheHeaderOfTheNextIsSynced) {
  SimFileSystem disk;
  SimClock clock;
  auto wal = OpenWal(disk, clock, Under(SyncPolicy::None()));
  for (std::uint64_t n = 0; n < 14; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 3'000)));  // the first file
  const WalPosition first_end = wal->end();
  ASSERT_TRUE(Append(*wal.wal, Payload(14, 8'192)));
  ASSERT_TRUE(*wal->CommitOnce());  // begins the second file, and syncs it not
  ASSERT_EQ(wal->durable_end(), first_end);
  ASSERT_TRUE(wal->Recycle(first_end, DiskWal::Seal::kKeepActive));
  EXPECT_EQ(wal->Stats().files, 2U);
  ASSERT_TRUE(wal->AwaitDurable(wal->end()));
  ASSERT_TRUE(wal->Recycle(first_end, DiskWal::Seal::kKeepActive));
  EXPECT_EQ(wal->Stats().files, 1U);
  disk.Crash();
  EXPECT_EQ(OpenWal(disk, clock, Under(SyncPolicy::None())).replay->payloads(), std::vector{Payload(14, 8'192)});
}

TEST(WalTroubleTest, AFullDiskInTheMiddleOfARescueHealsWhenThereIsSpace) {
  for (const SyncPolicy& sync : kPolicies) {
    SimFileSystem disk;
    SimClock clock;
    auto wal = OpenWal(disk, clock, Under(sync));
    std::vector<std::string> written = {"before", "staged"};
    ASSERT_TRUE(AppendDurably(*wal.wal, written[0]));
    const auto staged = Append(*wal.wal, written[1]);
    ASSERT_TRUE(staged);
    std::vector<std::string> told;
    wal->OnDurable(staged->end, [&](const Result<void>& result) {
      told.emplace_back(result ? "ok" : ErrorCodeName(result.error().code()));
    });
    disk.SetCapacity(0);
    bool fired = false;
    disk.SetFaultPlan(
        [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
          if (operation != SimOperation::kSync || path.extension() != ".wal" || fired) return std::nullopt;
          fired = true;
          return SimFault{};
        });
    for (int look = 0; look < 3; ++look) {
      const auto failed = wal->AwaitDurable(staged->end);
      ASSERT_FALSE(failed);
      EXPECT_EQ(failed.error().code(), ErrorCode::kOutOfSpace) << failed.error().ToString();
    }
    EXPECT_TRUE(fired);
    EXPECT_EQ(told, std::vector<std::string>{"kOutOfSpace"});
    disk.SetCapacity(std::nullopt);
    EXPECT_TRUE(wal->AwaitDurable(staged->end)) << "space is back";
    written.push_back("afterwards");
    ASSERT_TRUE(AppendDurably(*wal.wal, written.back()));
    disk.Crash();
    EXPECT_EQ(OpenWal(disk, clock, Under(sync)).replay->payloads(), written);
  }
}

TEST(WalTroubleTest, ACallbackIsToldWhenStagingFailsAndNobodyLeads) {
  SimFileSystem disk(1, {.map = false});
  SimClock clock;
  auto wal = OpenWal(disk, clock, Under(SyncPolicy::None()));
  const auto first = Append(*wal.wal, "first");
  ASSERT_TRUE(first);
  int told = 0;
  wal->OnDurable(first->end, [&](const Result<void>& result) { told += result ? 100 : 1; });
  bool fired = false;
  FailStagingWrites(disk, fired);
  EXPECT_FALSE(Append(*wal.wal, "second"));
  EXPECT_TRUE(fired);
  EXPECT_EQ(told, 0) << "under the locks of whoever appends";
  wal->AwaitWork({});  // there is work
  EXPECT_TRUE(*wal->CommitOnce());
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(*wal->CommitOnce());
}

TEST(WalTroubleTest, AFullDiskRefusesWhatIsStagedInAFileAndNothingElse) {
  for (const std::size_t size : {100u, 40'000u}) {  // in the ring, and beside it
    SimFileSystem disk(1, {.map = false});
    SimClock clock;
    auto wal = OpenWal(disk, clock, Under(SyncPolicy::None()));
    ASSERT_TRUE(Append(*wal.wal, Payload(1, size)));
    ASSERT_TRUE(wal->AwaitDurable(wal->end()));
    bool fired = false;
    disk.SetFaultPlan(
        [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
          if (operation != SimOperation::kWrite || !path.filename().native().starts_with("staging"))
            return std::nullopt;
          fired = true;
          return SimFault{.code = ErrorCode::kOutOfSpace};
        });
    const auto refused = Append(*wal.wal, Payload(2, size));
    EXPECT_TRUE(fired);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kOutOfSpace);
    disk.SetFaultPlan(nullptr);
    ASSERT_TRUE(Append(*wal.wal, Payload(3, size))) << "space is back";
    wal.wal.reset();  // the process dies: what was acknowledged is there, what was refused is not
    EXPECT_EQ(OpenWal(disk, clock, Under(SyncPolicy::None())).replay->payloads(),
              (std::vector{Payload(1, size), Payload(3, size)}));
  }
}

TEST(WalTroubleTest, EverybodyIsToldWhenStagingFailsWhileASyncDoesNotEnd) {
  SimFileSystem disk(1, {.map = false});
  HeldFileSystem held(disk);
  SimClock clock;
  auto wal = OpenWal(held, clock);
  ASSERT_TRUE(AppendDurably(*wal.wal, "first"));
  const auto led = Append(*wal.wal, "led");
  held.Hold();
  std::thread leader([&] { EXPECT_TRUE(wal->AwaitDurable(led->end)) << "its sync succeeds in the end"; });
  held.AwaitHeldUp();
  constexpr int kWaiters = 8;
  std::vector<std::thread> waiters;
  std::latch staged(kWaiters);
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&] {
      const auto extent = Append(*wal.wal, "waits");
      staged.count_down();
      ASSERT_TRUE(extent);
      EXPECT_FALSE(wal->AwaitDurable(extent->end));
    });
  }
  staged.wait();
  bool fired = false;
  FailStagingWrites(disk, fired);
  EXPECT_FALSE(Append(*wal.wal, "fails"));
  EXPECT_TRUE(fired);
  for (auto& waiter : waiters) waiter.join();  // before the sync ends
  held.LetGo();
  leader.join();
}

TEST(WalTroubleTest, WhileASyncDoesNotEndNobodyLooksAllTheTimeAndTimesAreKept) {
  for (const SyncPolicy& sync : kPolicies) {
    SimFileSystem disk;
    HeldFileSystem held(disk);
    SimClock clock;
    auto wal = OpenWal(held, clock, Under(sync));
    ASSERT_TRUE(AppendDurably(*wal.wal, "first"));
    const auto led = Append(*wal.wal, "led");
    held.Hold();
    std::thread leader([&] { EXPECT_TRUE(wal->AwaitDurable(led->end, kNever)); });
    held.AwaitHeldUp();
    const auto behind = Append(*wal.wal, Payload(1, 3'000));
    ASSERT_TRUE(behind);
    clock.Advance(std::chrono::seconds(10));
    EXPECT_FALSE(*wal->CommitOnce());
    EXPECT_FALSE(*wal->SyncDueOnce());
    const auto due = wal->NextDue();
    if (due) EXPECT_GT(*due, clock.Monotonic()) << "nothing can be done, and the worker would look again at once";
    // A caller that gave a time keeps it, one that gave none waits.
    const auto late = wal->AwaitDurable(behind->end, clock.Monotonic());
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), ErrorCode::kTimeout);
    const std::array pieces = {AsBytes(std::string_view("x"))};
    auto full = wal->TryAppend(WalStream(1), pieces);
    while (full) full = wal->TryAppend(WalStream(1), pieces);
    EXPECT_EQ(full.error().code(), ErrorCode::kUnavailable);
    const auto no_room = wal->AwaitRoom(1, clock.Monotonic());
    ASSERT_FALSE(no_room);
    EXPECT_EQ(no_room.error().code(), ErrorCode::kTimeout);
    std::thread endless([&] {
      EXPECT_TRUE(wal->AwaitRoom(1, kNever));
      EXPECT_TRUE(wal->AwaitDurable(behind->end, kNever));
    });
    held.LetGo();
    leader.join();
    endless.join();
    ASSERT_TRUE(wal->Close());
  }
}

TEST(WalTroubleTest, CloseReturnsOnlyWhenNoCallbackRuns) {
  SimFileSystem disk;
  SimClock clock;
  auto wal = OpenWal(disk, clock);
  const auto extent = Append(*wal.wal, "x");
  ASSERT_TRUE(extent);
  std::latch runs(1), let_go(1);
  std::atomic<bool> done = false, closed = false;
  wal->OnDurable(extent->end, [&](const Result<void>&) {
    runs.count_down();
    let_go.wait();
    done = true;
  });
  std::thread committer([&] { ASSERT_TRUE(wal->CommitOnce()); });
  runs.wait();
  std::thread closer([&] {
    EXPECT_TRUE(wal->Close());
    EXPECT_TRUE(done) << "a callback still runs, of a log that may be destroyed now";
    closed = true;
  });
  for (int i = 0; i < 300 && !closed; ++i) std::this_thread::yield();
  let_go.count_down();
  closer.join();
  committer.join();
}

TEST(WalTroubleTest, ACallbackMayCloseAndTheOthersAreToldStill) {
  SimFileSystem disk;
  SimClock clock;
  auto wal = OpenWal(disk, clock);
  std::vector<int> told;
  for (int n = 0; n < 3; ++n) {
    const auto extent = Append(*wal.wal, "x");
    ASSERT_TRUE(extent);
    wal->OnDurable(extent->end, [&, n](const Result<void>& result) {
      EXPECT_TRUE(result);
      told.push_back(n);
      if (n == 0) EXPECT_TRUE(wal->Close());
    });
  }
  ASSERT_TRUE(wal->CommitOnce());
  EXPECT_EQ(told, (std::vector{0, 1, 2}));
}

}  // namespace
}  // namespace millrace
