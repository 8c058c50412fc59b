// Goal: a position that was acknowledged is there after any crash, one that was not is at most one call ahead, damage
// is never a fresh start, and a move costs one small synced write whatever the number of cursors. Method: tiny files on
// a simulated disk; its state is kept at every operation, and from each several power losses are drawn; every n-th call
// fails; every block is cut and flipped.
// Proves R18, W7, W9, W26, W31, B11; rows 8 (for this room), 10, 11 and 12 of the reliability table.
#include "cursor/position_log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

constexpr const char* kDirectory = "/positions";
const PartitionKey kPartition{TopicId(1), PartitionId(0)};

using Positions = std::map<std::string, Offset>;

Positions Found(const PositionLog& log) {
  Positions found;
  for (const PositionDefine& cursor : log.All()) found[cursor.key.name] = cursor.position;
  return found;
}

class PositionLogTest : public ::testing::Test {
 protected:
  static Result<std::unique_ptr<PositionLog>> TryOpen(SimFileSystem& disk, SimClock& clock) {
    return PositionLog::Open({.directory = kDirectory, .file_bytes_min = 8 * kPositionBlockBytes}, disk, clock);
  }
  std::unique_ptr<PositionLog> Open(SimFileSystem& disk) {
    auto log = TryOpen(disk, clock_);
    EXPECT_TRUE(log) << (log ? "" : log.error().ToString());
    return log ? *std::move(log) : nullptr;
  }
  static CursorId Define(PositionLog& log, const std::string& name, Offset at = Offset(0)) {
    auto defined = log.Define({kPartition, name}, at);
    EXPECT_TRUE(defined && log.Await(defined->ticket));
    return defined->id;
  }
  static Result<void> Move(PositionLog& log, CursorId id, Offset to) {
    auto ticket = log.Move(id, to);
    if (!ticket) return ticket.error();
    return log.Await(*ticket);
  }

  SimClock clock_;
};

TEST_F(PositionLogTest, PositionsSurviveReopeningAndRemovalForgetsThem) {
  SimFileSystem disk;
  for (int round = 0; round < 100; ++round) {
    const auto log = Open(disk);
    if (round == 0) {
      Define(*log, "a");
      Define(*log, "b", Offset(5));
    }
    ASSERT_TRUE(Move(*log, *log->Find({kPartition, "a"}), Offset(round)));
    EXPECT_EQ(Found(*log), (Positions{{"a", Offset(round)}, {"b", Offset(5)}}));
    EXPECT_EQ(log->Lowest(kPartition), Offset(std::min(round, 5)));
  }
  EXPECT_EQ(disk.Files().size(), 2U);  // a hundred openings leak nothing
  const auto log = Open(disk);
  const auto removed = log->Remove(*log->Find({kPartition, "a"}));
  ASSERT_TRUE(removed && log->Await(*removed));
  EXPECT_EQ(log->Find({kPartition, "a"}), std::nullopt);
  EXPECT_EQ(Found(*Open(disk)), (Positions{{"b", Offset(5)}}));
  EXPECT_GT(Define(*Open(disk), "a").value(), 2U);  // ids are never given twice
}

TEST_F(PositionLogTest, AMoveCostsOneBlockAndOneSyncWhateverTheNumberOfCursors) {
  std::vector<PositionLogStats> costs;
  for (const int cursors : {1, 10'000}) {
    SimFileSystem disk;
    auto log = PositionLog::Open({.directory = kDirectory}, disk, clock_);
    ASSERT_TRUE(log);
    PositionLog::Ticket last;
    for (int i = 0; i < cursors; ++i) last = (*log)->Define({kPartition, std::to_string(i)}, Offset(0))->ticket;
    ASSERT_TRUE((*log)->Await(last));
    const CursorId id = *(*log)->Find({kPartition, "0"});
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Move(**log, id, Offset(i)));  // behind any switch of files
    const PositionLogStats before = (*log)->Stats();
    const std::uint64_t syncs_before = disk.calls(SimOperation::kSync);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(Move(**log, id, Offset(i)));
    PositionLogStats cost = (*log)->Stats();
    cost.syncs -= before.syncs;
    cost.written_bytes -= before.written_bytes;
    EXPECT_EQ(cost.syncs, disk.calls(SimOperation::kSync) - syncs_before);
    costs.push_back(cost);
  }
  EXPECT_EQ(costs[0].syncs, 100U);
  EXPECT_EQ(costs[0].written_bytes, 100 * kPositionBlockBytes);
  EXPECT_EQ(costs[1].syncs, costs[0].syncs);
  EXPECT_EQ(costs[1].written_bytes, costs[0].written_bytes);
}

TEST_F(PositionLogTest, SnapshotsAreASmallPartOfWhatIsWritten) {
  SimFileSystem disk;
  auto log = PositionLog::Open({.directory = kDirectory}, disk, clock_);
  ASSERT_TRUE(log);
  PositionLog::Ticket last;
  for (int i = 0; i < 2'000; ++i) last = (*log)->Define({kPartition, std::to_string(i)}, Offset(0))->ticket;
  ASSERT_TRUE((*log)->Await(last));
  const std::uint64_t before = (*log)->Stats().written_bytes;
  for (int i = 0; i < 3'000; ++i) ASSERT_TRUE(Move(**log, CursorId(1), Offset(i)));
  EXPECT_LT((*log)->Stats().written_bytes - before, 3'000 * kPositionBlockBytes * 5 / 4);
}

TEST_F(PositionLogTest, ThreadsShareSyncsAndEachCursorEndsWhereItMovedLast) {
  SimFileSystem disk;
  const auto log = Open(disk);
  std::vector<CursorId> ids;
  for (int i = 0; i < 8; ++i) ids.push_back(Define(*log, std::to_string(i)));
  {
    std::vector<std::jthread> threads;
    for (const CursorId id : ids)
      threads.emplace_back([&, id] {
        for (int i = 1; i <= 200; ++i) EXPECT_TRUE(Move(*log, id, Offset(i)));
      });
  }
  for (const auto& [name, position] : Found(*log)) EXPECT_EQ(position, Offset(200)) << name;
  EXPECT_EQ(Found(*Open(disk)), Found(*log));
}

/// What a run has promised, and what it has asked for.
struct Model {
  Positions acknowledged;
  Positions asked;                     // the same, but for the change under way
  std::optional<std::string> removal;  // under way
};

/// Defines, moves and removes as `seed` has it, until `steps` are done or a call fails. One thread.
Result<void> Work(PositionLog& log, std::uint64_t seed, int steps, Model& model) {
  SeededRandom random(seed);
  for (int step = 0; step < steps; ++step) {
    const std::string name = std::to_string(random.Below(4)) + std::string(random.Below(3) * 110, 'n');
    const auto id = log.Find({kPartition, name});
    const Offset to(static_cast<std::int64_t>(random.Below(1'000)));
    model.asked = model.acknowledged;
    model.removal.reset();
    Result<PositionLog::Ticket> ticket = PositionLog::Ticket();
    if (!id) {
      model.asked[name] = to;
      auto defined = log.Define({kPartition, name}, to);
      if (!defined) return defined.error();
      ticket = defined->ticket;
    } else if (random.OneIn(10)) {
      model.removal = name;
      model.asked.erase(name);
      ticket = log.Remove(*id);
    } else {
      model.asked[name] = to;
      ticket = log.Move(*id, to);
    }
    if (!ticket) return ticket.error();
    if (auto awaited = log.Await(*ticket); !awaited) return awaited.error();
    model.acknowledged = model.asked;
  }
  return {};
}

TEST_F(PositionLogTest, EveryCrashKeepsWhatWasAcknowledgedAndAtMostTheCallUnderWay) {
  std::uint64_t checked = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SimFileSystem disk(seed);
    struct State {
      std::shared_ptr<const SimFileSystem::Image> image;
      Model model;
    };
    std::vector<State> states;
    Model model;
    disk.SetObserver([&](SimOperation, const std::filesystem::path&) { states.push_back({disk.Snapshot(), model}); });
    for (int life = 0; life < 3; ++life) {
      const auto log = Open(disk);
      ASSERT_TRUE(Work(*log, seed * 10 + static_cast<std::uint64_t>(life), 25, model));
    }
    for (std::size_t i = 0; i < states.size(); ++i) {
      for (std::uint64_t loss = 0; loss < 5; ++loss) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << " state " << i << " loss " << loss);
        const auto after =
            SimFileSystem::AfterPowerLoss(*states[i].image, loss < 2 ? loss : seed * 1'000 + i * 10 + loss);
        auto log = TryOpen(*after, clock_);
        ASSERT_TRUE(log) << log.error().ToString();
        const Positions found = Found(**log);
        ASSERT_TRUE(found == states[i].model.acknowledged || found == states[i].model.asked);
        ++checked;
        // And it goes on, through another crash that forgets all that was not synced.
        if (i % 7 != 0) continue;
        Model next{.acknowledged = found};
        ASSERT_TRUE(Work(**log, i, 9, next));
        log->reset();
        after->Crash();
        log = TryOpen(*after, clock_);
        ASSERT_TRUE(log) << log.error().ToString();
        ASSERT_EQ(Found(**log), next.acknowledged);
      }
    }
  }
  EXPECT_GE(checked, 2'000U);
}

TEST_F(PositionLogTest, EveryCallThatFailsIsTheCallersErrorAndTheNextOneGoesOn) {
  int failed = 0;
  for (const bool sticky_pages : {false, true}) {
    for (std::uint64_t n = 1;; ++n) {
      SCOPED_TRACE(n);
      SimFileSystem disk(n);
      bool fired = false;
      disk.SetFaultPlan([&](SimOperation, const std::filesystem::path&, std::uint64_t call) -> std::optional<SimFault> {
        if (call != n) return {};
        fired = true;
        return SimFault{.bytes_written = n % 4'097, .pages_left_clean = !sticky_pages};
      });
      Model model;
      auto log = TryOpen(disk, clock_);
      if (!log) {
        ++failed;
        continue;
      }
      if (auto worked = Work(**log, 3, 30, model); !worked) {
        ++failed;
        // What failed did not happen; the same log goes on, from there.
        EXPECT_EQ(Found(**log), model.acknowledged);
        ASSERT_TRUE(Work(**log, 4, 12, model));
      }
      log->reset();
      disk.Crash();
      disk.SetFaultPlan({});
      log = TryOpen(disk, clock_);
      ASSERT_TRUE(log) << log.error().ToString();
      EXPECT_EQ(Found(**log), model.acknowledged);
      if (!fired) break;
    }
  }
  EXPECT_GE(failed, 60);
}

TEST_F(PositionLogTest, AFailureTakesAlongWhatWasStagedOnTopOfIt) {
  SimFileSystem disk;
  const auto log = Open(disk);
  const CursorId id = Define(*log, "a");
  std::atomic<bool> fail{true};
  disk.SetFaultPlan(
      [&](SimOperation operation, const std::filesystem::path&, std::uint64_t) -> std::optional<SimFault> {
        if (operation != SimOperation::kSync || !fail.exchange(false)) return {};
        return SimFault{};
      });
  const std::uint64_t failures = log->failures();
  const auto first = log->MoveUnlessFailed(id, Offset(1), failures);
  ASSERT_TRUE(first && *first);
  EXPECT_FALSE(log->Await(*first));
  EXPECT_EQ(log->failures(), failures + 1);
  const auto stale = log->MoveUnlessFailed(id, Offset(2), failures);
  ASSERT_TRUE(stale);
  EXPECT_EQ(*stale, nullptr);
  EXPECT_EQ(log->Durable(id), Offset(0));
  disk.Crash();
  EXPECT_EQ(Found(*Open(disk)), (Positions{{"a", Offset(0)}}));
}

TEST_F(PositionLogTest, EveryFlippedByteIsRightOrDamageAndNeverAnotherPosition) {
  SimFileSystem disk;
  {
    const auto log = Open(disk);
    const CursorId id = Define(*log, "a");
    for (int i = 1; i <= 4; ++i) ASSERT_TRUE(Move(*log, id, Offset(i)));
  }
  const std::filesystem::path path = std::filesystem::path(kDirectory) / "positions-0";
  const auto image = disk.Snapshot();
  int damaged = 0, tails = 0;
  for (std::uint64_t byte = 0; byte < 8 * kPositionBlockBytes; byte += byte % kPositionBlockBytes < 128 ? 1 : 61) {
    SCOPED_TRACE(byte);
    const auto flipped = SimFileSystem::AfterPowerLoss(*image, 1);
    flipped->FlipBit(path, byte, byte % 8);
    const auto log = TryOpen(*flipped, clock_);
    if (!log) {
      ++damaged;
      EXPECT_EQ(log.error().code(), ErrorCode::kCorruption);
      ASSERT_NE(log.error().damage(), nullptr);
      EXPECT_EQ(log.error().damage()->place, "positions-0");
      continue;
    }
    const Positions found = Found(**log);
    if (byte / kPositionBlockBytes == 5) {  // the last frame cannot be told from a torn one
      ++tails;
      EXPECT_EQ(found, (Positions{{"a", Offset(3)}}));
    } else {
      EXPECT_GT(byte / kPositionBlockBytes, 5U);
      EXPECT_EQ(found, (Positions{{"a", Offset(4)}}));
    }
  }
  EXPECT_GE(damaged, 5 * 128);
  EXPECT_GE(tails, 128);
}

TEST_F(PositionLogTest, FilesWithoutAnyWholeFrameAreDamage) {
  SimFileSystem disk;
  {
    Define(*Open(disk), "a");
  }
  const std::vector<std::byte> zeros(8 * kPositionBlockBytes);
  disk.Overwrite(std::filesystem::path(kDirectory) / "positions-0", 0, zeros);
  const auto log = TryOpen(disk, clock_);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code(), ErrorCode::kCorruption);
}

}  // namespace
}  // namespace millrace
