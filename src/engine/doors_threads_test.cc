// Goal: loops that append by turns, watches that come and go, and Close may race: every append is told once and truly,
// every reader sees every offset, and nothing that has gone is touched. Method: a real engine, real threads; run under
// TSan as well.
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "engine/commit_turn.h"
#include "engine/door_fixture.h"
#include "engine/engine_fixture.h"
#include "engine/partition_watches.h"

namespace millrace {
namespace {

class DoorsThreadsTest : public EngineFixture {
 protected:
  static constexpr int kTurns = 150, kPerTurn = 4;

  /// One loop: stages, commits, runs what was posted, until all were told or the engine has closed.
  static void AppendByTurns(PartitionAccess& access, PartitionHandle partition, std::chrono::nanoseconds own_sync_max,
                            std::atomic<std::int64_t>& acknowledged) {
    HandTurnedLoop loop;
    CommitTurn turn(access, loop.Poster(), {.own_sync_max = own_sync_max});
    for (int i = 0; i < kTurns; ++i) {
      for (int k = 0; k < kPerTurn; ++k) {
        Buffer batch = WireBatch();
        CommitTurn::Done done = [&](const CommitOutcome& outcome) {
          if (!outcome.unknown) acknowledged.fetch_add(1);
        };
        const Durability asked = k % 2 == 0 ? Durability::kDisk : Durability::kOs;
        auto staged = turn.Stage(partition, batch, asked, done);
        while (!staged && staged.error().code() == ErrorCode::kUnavailable) {  // the disk is behind: wait for room
          turn.Commit();
          (void)loop.AwaitPosted(std::chrono::milliseconds(1));
          (void)loop.RunPosted();
          staged = turn.Stage(partition, batch, asked, done);
        }
        if (!staged && staged.error().code() == ErrorCode::kClosed) return;
        ASSERT_TRUE(staged) << Told(staged);
      }
      turn.Commit();
      (void)loop.RunPosted();
    }
    while (turn.pending() > 0 && loop.AwaitPosted()) (void)loop.RunPosted();
    EXPECT_EQ(turn.pending(), 0U);
  }

  /// Follows the partition by a watch until `end` or until it ends; how far it came.
  static Offset Follow(PartitionAccess& access, PartitionHandle partition, Offset end) {
    Mutex mutex;
    CondVar changed;
    bool woken = false;
    Offset at(0);
    PartitionWatches watches(access, [&] {
      MutexLock lock(mutex);
      woken = true;
      changed.NotifyAll();
    });
    const auto id = watches.Add(partition);
    while (at < end) {
      const auto armed = watches.Arm(id, at);
      if (!armed) return at;
      if (*armed == PartitionWatches::Armed::kWaits) {
        MutexLock lock(mutex);
        while (!woken) changed.Wait(mutex);
        woken = false;
      }
      (void)watches.Take();
      const auto read = access.ReadTail(partition, at, 1 << 20);
      if (!read) return at;
      EXPECT_NE(read->state, TailRead::State::kElsewhere);
      at = read->next;
    }
    return at;
  }
};

TEST_F(DoorsThreadsTest, LoopsAndFollowersMeetAndNothingIsLost) {
  for (const auto own_sync_max : {std::chrono::nanoseconds(std::chrono::hours(1)), std::chrono::nanoseconds(0)}) {
    const auto engine = Open(OnSimulatedDisk());
    ASSERT_TRUE(engine->CreateTopic("t"));
    PartitionAccess access(*engine);
    const PartitionHandle partition = access.Find("t", PartitionId(0));
    constexpr int kLoops = 3;
    const Offset end(std::int64_t{kLoops} * kTurns * kPerTurn);
    std::atomic<std::int64_t> acknowledged{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kLoops; ++i)
      threads.emplace_back([&] { AppendByTurns(access, partition, own_sync_max, acknowledged); });
    for (int i = 0; i < 2; ++i) threads.emplace_back([&] { EXPECT_EQ(Follow(access, partition, end), end); });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(acknowledged.load(), end.value());
  }
}

TEST_F(DoorsThreadsTest, CloseEndsEveryLoopAndEveryFollower) {
  for (int round = 0; round < 6; ++round) {
    const EngineOptions options = OnSimulatedDisk();
    const auto engine = Open(options);
    ASSERT_TRUE(engine->CreateTopic("t"));
    auto access = std::make_unique<PartitionAccess>(*engine);
    const PartitionHandle partition = access->Find("t", PartitionId(0));
    const auto own_sync_max = round % 2 == 0 ? std::chrono::hours(1) : std::chrono::hours(0);
    std::atomic<std::int64_t> acknowledged{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
      threads.emplace_back([&] { AppendByTurns(*access, partition, own_sync_max, acknowledged); });
    threads.emplace_back([&] { (void)Follow(*access, partition, Offset(INT64_MAX)); });
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        PartitionWatches watches(*access, [] {});
        (void)watches.Arm(watches.Add(partition), access->image()->topics().empty() ? Offset(0) : Offset(i));
      }
    });
    while (acknowledged.load() < 40 * round) std::this_thread::yield();
    EXPECT_TRUE(engine->Close());
    for (std::thread& thread : threads) thread.join();
    access.reset();
  }
}

}  // namespace
}  // namespace millrace
