// Goal: nothing acknowledged is lost, nothing torn is shown, nothing changes its order, whatever survives a power loss,
// a death of the process, or a failing call. Method: a workload over tiny files runs once; at every operation on the
// disk its state is kept; from each, several power losses are drawn, the log is opened, compared with the model, used,
// crashed and opened again. Then every n-th call fails, n = 1, 2, ... until a clean run.
// Proves S23, S26, B33, B70; rows 1, 11, 12 and 13 of the reliability table for this room.
#include <gtest/gtest.h>

#include <algorithm>

#include "env/seeded_random.h"
#include "wal/frame.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

struct Model {
  std::vector<std::string> written;  // appended, acknowledged or not, in order
  std::size_t in_os = 0;             // so many were acknowledged as kOs
  std::size_t durable = 0;           // and as kDisk
  std::size_t recycled_up_to = 0;    // frames below may be gone
};

/// Recovered frames are a run of the written ones that ends at or after `at_least`, and begins at or before the first
/// that had to be kept.
void ExpectCovers(const std::vector<std::string>& found, const Model& model, std::size_t at_least,
                  const std::string& what) {
  if (found.empty()) {
    EXPECT_LE(at_least, model.recycled_up_to) << what;
    return;
  }
  const auto first = std::ranges::find(model.written, found.front());
  ASSERT_NE(first, model.written.end()) << what << ": a frame nobody wrote";
  const auto begin = static_cast<std::size_t>(first - model.written.begin());
  ASSERT_LE(begin + found.size(), model.written.size()) << what;
  EXPECT_TRUE(std::ranges::equal(found, std::span(model.written).subspan(begin, found.size()))) << what << ": order";
  EXPECT_LE(begin, std::max(model.recycled_up_to, std::size_t{0})) << what << ": the head is missing";
  EXPECT_GE(begin + found.size(), at_least) << what << ": the tail is missing";
}

WalOptions TinyWal(SyncPolicy sync) {
  auto options = SmallWal();
  options.sync = sync;
  options.staging_bytes = 16 << 10;
  options.file_bytes = 24 << 10;
  options.frame_bytes_max = 32 << 10;
  options.wal_bytes_max = 4 << 20;
  return options;
}

/// Appends, syncs, idles, rolls, recycles, closes and reopens, as `seed` has it. Stops at the first error.
Result<void> Work(FileSystem& disk, SimClock& clock, const WalOptions& options, std::uint64_t seed, Model& model,
                  int steps) {
  SeededRandom random(seed);
  auto opened = TryOpenWal(disk, clock, options);
  if (!opened) return opened.error();
  std::unique_ptr<DiskWal> wal = std::move(opened->wal);
  std::unique_ptr<KeptReplay> replay = std::move(opened->replay);
  std::vector<WalPosition> ends(model.written.size(), wal->end());
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t what = random.Below(100);
    if (what < 70) {
      const std::size_t size = random.OneIn(20) ? 9000 + random.Below(20000) : random.Below(3000);
      model.written.push_back(Payload(model.written.size(), size));
      auto extent = Append(*wal, model.written.back());
      if (!extent) return extent.error();
      ends.push_back(extent->end);
      model.in_os = model.written.size();
      if (what < 35) {
        if (auto durable = wal->AwaitDurable(extent->end); !durable) return durable.error();
        model.durable = model.written.size();
      }
    } else if (what < 85) {
      clock.Advance(std::chrono::milliseconds(random.Below(12)));
      for (const auto& step_result : {wal->CommitOnce(), wal->SyncDueOnce(), wal->PrepareFilesOnce()}) {
        if (!step_result) return step_result.error();
      }
    } else if (what < 93) {
      if (model.durable == 0) continue;
      const std::size_t upto = model.durable - random.Below(std::min<std::size_t>(model.durable, 8));
      if (upto == 0) continue;
      model.recycled_up_to = std::max(model.recycled_up_to, upto);
      const auto seal = random.OneIn(4) ? DiskWal::Seal::kSealActive : DiskWal::Seal::kKeepActive;
      if (auto recycled = wal->Recycle(ends[upto - 1], seal); !recycled) return recycled;
    } else if (what < 96) {
      if (auto closed = wal->Close(); !closed) return closed;
      model.durable = model.in_os;
      replay = std::make_unique<KeptReplay>();
      auto again = DiskWal::Open(options, disk, clock, *replay);
      if (!again) return again.error();
      wal = *std::move(again);
    }
  }
  return wal->Close();
}

class WalCrashTest : public testing::TestWithParam<SyncPolicy::Kind> {
 protected:
  [[nodiscard]] SyncPolicy policy() const {
    return {GetParam(), std::chrono::milliseconds(GetParam() == SyncPolicy::Kind::kInterval ? 5 : 0)};
  }
};

INSTANTIATE_TEST_SUITE_P(Policies, WalCrashTest,
                         testing::Values(SyncPolicy::Kind::kEach, SyncPolicy::Kind::kInterval,
                                         SyncPolicy::Kind::kNone));

/// The log of `disk` covers what it must, takes five more, and after another crash has all of it.
void ExpectRecovers(SimFileSystem& disk, SimClock& clock, const WalOptions& options, const Model& model,
                    std::size_t at_least, const std::string& what) {
  std::vector<std::string> found;
  {
    auto wal = TryOpenWal(disk, clock, options);
    ASSERT_TRUE(wal) << what << ": " << wal.error().ToString();
    for (const auto& damage : wal->replay->damage) {
      ADD_FAILURE() << what << ": damage in " << damage.file << " from " << damage.extent.begin.value() << " to "
                    << damage.extent.end.value() << ": " << damage.reason;
    }
    found = wal->replay->payloads();
    ExpectCovers(found, model, at_least, what);
    if (testing::Test::HasFailure()) return;
    for (int i = 0; i < 5; ++i) {
      found.push_back(Payload(1'000'000 + i, 700));
      auto extent = AppendDurably(*wal->wal, found.back());
      ASSERT_TRUE(extent) << what << ": " << extent.error().ToString();
    }
  }
  disk.Crash();
  auto wal = TryOpenWal(disk, clock, options);
  ASSERT_TRUE(wal) << what << ": " << wal.error().ToString();
  // A file whose marking as free failed may return whole: what was recycled, in front of the rest.
  const auto again = wal->replay->payloads();
  ASSERT_GE(again.size(), found.size()) << what << ": after the second crash";
  const std::size_t extra = again.size() - found.size();
  EXPECT_LE(extra, model.recycled_up_to) << what << ": after the second crash";
  EXPECT_TRUE(std::ranges::equal(std::span(again).subspan(extra), found)) << what << ": after the second crash";
  for (std::size_t i = 0; i < extra; ++i) {
    EXPECT_NE(std::ranges::find(model.written, again[i]), model.written.end()) << what << ": a frame nobody wrote";
  }
  for (const auto& damage : wal->replay->damage) {
    ADD_FAILURE() << what << ": damage after the second crash in " << damage.file << " from "
                  << damage.extent.begin.value() << " to " << damage.extent.end.value() << ": " << damage.reason;
  }
}

TEST_P(WalCrashTest, PowerLossAtEveryOperationLosesNothingAcknowledged) {
  std::uint64_t checked = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    struct Kept {
      std::shared_ptr<const SimFileSystem::Image> image;
      Model model;
    };
    std::vector<Kept> states;
    SimFileSystem disk(seed);
    SimClock clock;
    Model model;
    disk.SetObserver([&](SimOperation, const std::filesystem::path&) { states.push_back({disk.Snapshot(), model}); });
    const auto worked = Work(disk, clock, TinyWal(policy()), seed, model, 60);
    ASSERT_TRUE(worked) << worked.error().ToString();
    for (std::size_t i = 0; i < states.size(); ++i) {
      // The whole run's frames: an append in progress at the crash may be found.
      Model then = states[i].model;
      then.written = model.written;
      then.recycled_up_to = std::max(then.recycled_up_to, states[i].model.recycled_up_to);
      for (const std::uint64_t draw : {std::uint64_t{0}, std::uint64_t{1}, 17 * i + seed, 91 * i + seed + 5}) {
        const auto after = SimFileSystem::AfterPowerLoss(*states[i].image, draw);
        ExpectRecovers(
            *after, clock, TinyWal(policy()), then, then.durable,
            "seed " + std::to_string(seed) + " state " + std::to_string(i) + " draw " + std::to_string(draw));
        if (HasFailure()) return;
        ++checked;
      }
    }
  }
  RecordProperty("checked", std::to_string(checked));
  EXPECT_GT(checked, 1000U);
}

TEST_P(WalCrashTest, ProcessDeathAtAnyStepLosesNothingAppended) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (int steps = 0; steps < 90; steps += 1) {
      SimFileSystem disk(seed);
      SimClock clock;
      Model model;
      // Cut the run short by failing nothing: the last handle is dropped without Close.
      SeededRandom random(seed);
      std::vector<std::string> found;
      {
        auto wal = OpenWal(disk, clock, TinyWal(policy()));
        for (int step = 0; step < steps; ++step) {
          model.written.push_back(Payload(model.written.size(), random.Below(4000) * (random.OneIn(9) ? 5 : 1)));
          const auto extent = Append(*wal.wal, model.written.back());
          ASSERT_TRUE(extent) << extent.error().ToString();
          if (random.OneIn(5)) ASSERT_TRUE(wal->CommitOnce());
        }
        model.in_os = model.written.size();
        disk.KillProcess();
      }
      ExpectRecovers(disk, clock, TinyWal(policy()), model, model.in_os,
                     "seed " + std::to_string(seed) + " steps " + std::to_string(steps));
      if (HasFailure()) return;
    }
  }
}

/// What fails at the n-th call, how often, and what is left behind.
struct Failing {
  std::string_view name;
  ErrorCode code;
  bool for_ever;
  bool pages_left_clean;
};

class WalFailureTest : public testing::TestWithParam<std::tuple<SyncPolicy::Kind, Failing>> {};

INSTANTIATE_TEST_SUITE_P(Failures, WalFailureTest,
                         testing::Combine(testing::Values(SyncPolicy::Kind::kEach, SyncPolicy::Kind::kNone),
                                          testing::Values(Failing{"once_clean", ErrorCode::kUnavailable, false, true},
                                                          Failing{"once_dirty", ErrorCode::kUnavailable, false, false},
                                                          Failing{"ever_clean", ErrorCode::kUnavailable, true, true},
                                                          Failing{"full_once", ErrorCode::kOutOfSpace, false, true},
                                                          Failing{"full_ever", ErrorCode::kOutOfSpace, true, true})),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param) == SyncPolicy::Kind::kEach ? "each_" : "none_") +
                                  std::string(std::get<1>(info.param).name);
                         });

TEST_P(WalFailureTest, WhicheverCallFailsNothingAcknowledgedIsLost) {
  const auto& [kind, failing] = GetParam();
  const auto options = TinyWal({kind, {}});
  std::uint64_t injected = 0;
  for (std::uint64_t n = 1;; ++n) {
    SimFileSystem disk(n);
    SimClock clock;
    Model model;
    bool fired = false;
    disk.SetFaultPlan([&, failing = failing](SimOperation operation, const std::filesystem::path&,
                                             std::uint64_t call) -> std::optional<SimFault> {
      if (call < n || (fired && !failing.for_ever)) return std::nullopt;
      if (failing.code == ErrorCode::kOutOfSpace && operation != SimOperation::kWrite &&
          operation != SimOperation::kAllocate && operation != SimOperation::kCreate) {
        return std::nullopt;
      }
      fired = true;
      return SimFault{
          .code = failing.code, .bytes_written = n % 3 * 2048, .pages_left_clean = failing.pages_left_clean};
    });
    [[maybe_unused]] const auto worked = Work(disk, clock, options, 7, model, 40);
    disk.SetFaultPlan(nullptr);
    if (!fired) break;
    ++injected;
    if (n % 2 == 0) {
      disk.Crash();
    } else {
      disk.KillProcess();
    }
    // A frame whose append failed may be there all the same, once.
    ExpectRecovers(disk, clock, options, model, n % 2 == 0 ? model.durable : model.in_os,
                   "call " + std::to_string(n) + (worked ? "" : " (" + worked.error().ToString() + ")"));
    if (HasFailure()) return;
  }
  EXPECT_GT(injected, 40U);
}

TEST(WalFailedSyncTest, AFailedSyncMovesTheGroupToAFreshFileAndIsNeverRepeated) {
  for (const bool clean : {true, false}) {
    SimFileSystem disk;
    SimClock clock;
    auto wal = OpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
    ASSERT_TRUE(AppendDurably(*wal.wal, "before"));
    std::filesystem::path failed;
    std::uint64_t syncs_of_failed = 0;
    disk.SetFaultPlan(
        [&](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
          if (operation != SimOperation::kSync) return std::nullopt;
          if (failed.empty()) {
            failed = path;
            return SimFault{.pages_left_clean = clean};
          }
          syncs_of_failed += path == failed ? 1 : 0;
          return std::nullopt;
        });
    for (int n = 0; n < 10; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 500)));
    EXPECT_FALSE(failed.empty());
    EXPECT_EQ(syncs_of_failed, 0U);
    disk.SetFaultPlan(nullptr);
    disk.Crash();
    wal = OpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
    EXPECT_EQ(wal.replay->frames.size(), 11U);
    EXPECT_TRUE(wal.replay->damage.empty());
    EXPECT_EQ(wal->recovery().verdicts[static_cast<std::size_t>(WalVerdict::kRepairedHeader)], 0U);
  }
}

TEST(WalFailedSyncTest, WhenEveryFileFailsTheLogIsPoisonedAndReadsGoOn) {
  SimFileSystem disk;
  SimClock clock;
  auto wal = OpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
  const auto before = AppendDurably(*wal.wal, "before");
  ASSERT_TRUE(before);
  const auto after = Append(*wal.wal, "after");
  bool failed = false;
  wal->OnDurable(after->end, [&](const Result<void>& result) { failed = !result; });
  disk.SetFaultPlan([](SimOperation operation, const std::filesystem::path&, std::uint64_t) {
    return operation == SimOperation::kSync ? std::optional(SimFault{}) : std::nullopt;
  });
  EXPECT_FALSE(wal->AwaitDurable(after->end));
  EXPECT_TRUE(failed);
  disk.SetFaultPlan(nullptr);
  const auto refused = Append(*wal.wal, "more");
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().retryable());
  EXPECT_FALSE(wal->AwaitRoom(1, {}));
  EXPECT_FALSE(wal->AwaitDurable(after->end));
  EXPECT_EQ(wal->durable_end(), BlockUp(before->end));
  const auto read = wal->Read(WalStream(1), {wal->begin(), before->end}, 100);
  ASSERT_TRUE(read);
  EXPECT_EQ(AsText(read->frames.at(0).payload), "before");
}

TEST(WalFailedSyncTest, AFailedSyncThenDeathThenPowerLossLosesNothingShown) {
  // The page cache shows frames that never reached the disk and counts them as clean: recovery writes them again.
  SimFileSystem disk(1, {.direct = false});
  SimClock clock;
  {
    auto wal = OpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
    ASSERT_TRUE(AppendDurably(*wal.wal, "before"));
    disk.SetFaultPlan([](SimOperation operation, const std::filesystem::path&, std::uint64_t) {
      return operation == SimOperation::kSync ? std::optional(SimFault{}) : std::nullopt;
    });
    EXPECT_FALSE(AppendDurably(*wal.wal, "after"));
    disk.KillProcess();
    disk.SetFaultPlan(nullptr);
  }
  std::vector<std::string> shown;
  {
    auto wal = OpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
    shown = wal.replay->payloads();
  }
  disk.Crash();
  EXPECT_EQ(OpenWal(disk, clock, TinyWal(SyncPolicy::Each())).replay->payloads(), shown);
}

TEST(WalFailedSyncTest, AHeaderThatThePageCacheAloneShowsIsWrittenAgain) {
  SimFileSystem disk(1, {.direct = false});
  SimClock clock;
  {
    auto wal = OpenWal(disk, clock);
    for (std::uint64_t n = 0; n < 14; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 3'000)));
    const auto second = Append(*wal.wal, Payload(14, 3'000));
    ASSERT_TRUE(second);
    ASSERT_EQ(wal->Stats().files, 2U);
    disk.SetFaultPlan([](SimOperation operation, const std::filesystem::path&, std::uint64_t) {
      return operation == SimOperation::kSync ? std::optional(SimFault{}) : std::nullopt;
    });
    EXPECT_FALSE(wal->AwaitDurable(second->end));
    disk.KillProcess();
    disk.SetFaultPlan(nullptr);
  }
  EXPECT_EQ(OpenWal(disk, clock).replay->frames.size(), 15U);
  disk.Crash();
  const auto wal = OpenWal(disk, clock);
  EXPECT_EQ(wal.replay->frames.size(), 15U);
  EXPECT_EQ(wal->recovery().verdicts[static_cast<std::size_t>(WalVerdict::kRepairedHeader)], 0U);
}

TEST(WalFailedStartTest, AFirstFileThatFailedIsNeverTakenForAPartOfTheChain) {
  // The log opens on a full disk and begins again later; what the failed attempt left must not count as an older file
  // once the chain gets shorter, even if it could not be removed at once.
  for (const bool removable : {true, false}) {
    std::uint64_t injected = 0;
    for (std::uint64_t n = 1;; ++n) {
      SimFileSystem disk;
      SimClock clock;
      bool fired = false;
      disk.SetFaultPlan(
          [&](SimOperation operation, const std::filesystem::path&, std::uint64_t call) -> std::optional<SimFault> {
            if (!removable && operation == SimOperation::kRemove) return SimFault{};
            if (call != n) return std::nullopt;
            fired = true;
            return SimFault{.code = ErrorCode::kOutOfSpace, .bytes_written = kWalBlockBytes, .pages_left_clean = false};
          });
      auto wal = TryOpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
      disk.SetFaultPlan(nullptr);
      if (!wal) continue;
      if (!fired) break;
      ++injected;
      const auto first = AppendDurably(*wal->wal, "first");
      ASSERT_TRUE(first);
      ASSERT_TRUE((*wal)->Recycle(first->end, DiskWal::Seal::kSealActive));
      ASSERT_TRUE(AppendDurably(*wal->wal, "second"));
      disk.KillProcess();
      const auto again = OpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
      EXPECT_TRUE(again.replay->damage.empty()) << "call " << n << (removable ? "" : ", not removable");
      EXPECT_EQ(again.replay->payloads(), std::vector<std::string>{"second"}) << "call " << n;
    }
    EXPECT_GT(injected, 3U);
  }
}

TEST(WalFailedStartTest, WhicheverCallOfARecoveryFailsStagedFramesStay) {
  // Frames that were staged for a file that was never begun are in the staging ring alone. Recovery carries them into a
  // fresh file; a call of it fails, once or for ever, and the process dies.
  for (const bool for_ever : {false, true}) {
    std::uint64_t injected = 0;
    for (std::uint64_t n = 1;; ++n) {
      SimFileSystem disk;
      SimClock clock;
      const auto options = TinyWal(SyncPolicy::None());
      std::vector<std::string> staged;
      {
        auto wal = OpenWal(disk, clock, options);
        for (std::uint64_t i = 0; i < 9; ++i) {
          staged.push_back(Payload(i, 3000));
          ASSERT_TRUE(Append(*wal.wal, staged.back()));
        }
        disk.KillProcess();
      }
      const std::uint64_t calls = disk.calls();
      bool fired = false;
      disk.SetFaultPlan([&](SimOperation, const std::filesystem::path&, std::uint64_t call) -> std::optional<SimFault> {
        if (call < calls + n || (fired && !for_ever)) return std::nullopt;
        fired = true;
        return SimFault{.bytes_written = n % 2 * kWalBlockBytes, .pages_left_clean = false};
      });
      [[maybe_unused]] const auto failed = TryOpenWal(disk, clock, options);
      disk.KillProcess();
      disk.SetFaultPlan(nullptr);
      if (!fired) break;
      ++injected;
      const auto wal = OpenWal(disk, clock, options);
      EXPECT_EQ(wal.replay->payloads(), staged) << "call " << n << (for_ever ? " and all after it" : "");
      EXPECT_TRUE(wal.replay->damage.empty());
    }
    EXPECT_GT(injected, 10U);
  }
}

TEST(WalFullDiskTest, AStagingFileThatLostItsBlocksNeverPoisonsTheLogOnAFullDisk) {
  // After a power loss the file has its length and holes; its space is taken again before the first append needs it.
  for (const bool map : {true, false}) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
      SimFileSystem disk(seed, {.allocate = false, .map = map});
      SimClock clock;
      auto wal = OpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
      ASSERT_TRUE(AppendDurably(*wal.wal, "before"));
      disk.Crash();
      disk.SetCapacity((std::uint64_t{1} << 40) - *disk.FreeSpace(kWalDirectory));
      wal = OpenWal(disk, clock, TinyWal(SyncPolicy::Each()));
      for (int i = 0; i < 6; ++i) {
        const auto full = Append(*wal.wal, Payload(1, 3000));
        if (!full) EXPECT_EQ(full.error().code(), ErrorCode::kOutOfSpace);
      }
      disk.SetCapacity(std::nullopt);
      EXPECT_TRUE(AppendDurably(*wal.wal, "after")) << seed;
    }
  }
}

}  // namespace
}  // namespace millrace
