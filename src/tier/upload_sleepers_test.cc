// Who sleeps in the upload schedule, and what wakes them. Method: a clock that tells when a sleeper has looked at it,
// which it does under the schedule's mutex before it lies down: a test that saw the look and takes that mutex finds it
// asleep.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/watched_clock.h"
#include "env/seeded_random.h"
#include "tier/scheduled_partition_fixture.h"
#include "tier/upload_schedule.h"

namespace millrace {
namespace {

/// A flight of upload 0 is on its way, and nothing is due.
struct Sleepers {
  explicit Sleepers(std::size_t claims_max = 10) : claims_max(claims_max) {
    schedule.Add(first.upload());
    schedule.Add(second.upload());
    first.Append(schedule, 12'000);
    flight = schedule.Claim().at(0);
    schedule.EndRound(std::array{UploadShare{flight, Offset(1), flight.bytes}});
  }
  void Commit(const UploadClaim& claim, Offset end) {
    claim.upload->partition().log().AdvanceTieredEnd(end);
    schedule.OnTieredEnd(*claim.upload, end);
    schedule.Landed(claim);
  }
  const std::size_t claims_max;
  WatchedClock clock;
  SeededRandom random{1};
  UploadSchedule schedule{
      {.segment_bytes_max = 10'000, .segment_age_max = std::chrono::hours(24), .claims_max = claims_max},
      clock,
      random};
  ScheduledPartition first, second;
  UploadClaim flight;
};

TEST(UploadSleepersTest, ALandingThatMakesRoomWakesASleeper) {
  Sleepers s;
  s.second.Append(s.schedule, 12'000);
  const UploadClaim other = s.schedule.Claim().at(0);
  s.schedule.EndRound(std::array{UploadShare{other, Offset(1), other.bytes}});
  s.second.Append(s.schedule, 12'000);  // due, and no room in flight
  std::jthread sleeper([&] { s.schedule.AwaitWork({}); });
  s.clock.AwaitLooksOfOthers(1);
  s.Commit(s.flight, Offset(1));
}

TEST(UploadSleepersTest, WhoAwaitsAChangeSleepsAndHearsOfEach) {
  const std::vector<std::function<void(Sleepers&)>> changes = {
      [](Sleepers& s) { s.Commit(s.flight, Offset(1)); },
      [](Sleepers& s) { s.schedule.Dropped(s.flight); },
      [](Sleepers& s) { s.schedule.EndUpload(s.second.upload(), Error(ErrorCode::kNotFound, "deleted")); },
      [](Sleepers& s) { s.schedule.OnTieredEnd(s.first.upload(), Offset(1)); },
      [](Sleepers& s) { s.schedule.Close(Error(ErrorCode::kClosed, "closed")); },
      [](Sleepers& s) { s.second.Append(s.schedule, 12'000); },  // due
  };
  for (const bool waits : {false, true}) {  // without and with a moment at which something will be due
    for (const auto& change : changes) {
      Sleepers s;
      if (waits) s.second.Append(s.schedule, 100);
      const std::uint64_t seen = s.schedule.changes();
      std::jthread sleeper([&] { s.schedule.AwaitChange(seen); });
      s.clock.AwaitLooksOfOthers(1);
      change(s);
    }
  }
}

TEST(UploadSleepersTest, WhoAwaitsIdlenessSleepsUntilTheLastFlightHasLanded) {
  for (const bool closed : {false, true}) {
    Sleepers s;
    std::jthread sleeper([&] { EXPECT_TRUE(s.schedule.AwaitIdle(std::chrono::hours(24))); });
    s.clock.AwaitLooksOfOthers(1);
    if (closed) {
      s.schedule.Close(Error(ErrorCode::kClosed, "closed"));
    } else {
      s.first.log().AdvanceTieredEnd(Offset(1));
      s.schedule.OnTieredEnd(s.first.upload(), Offset(1));
      s.clock.AwaitLooksOfOthers(3);  // two to lie down, one to see that it is committed and still on its way
      s.schedule.Landed(s.flight);
    }
  }
}

TEST(UploadSleepersTest, WhoAwaitsItsTurnSleepsUntilItsForerunnerHasCommitted) {
  Sleepers s;
  const auto fly = [&](ScheduledPartition& partition, Offset end) {
    partition.Append(s.schedule, 100);
    s.schedule.Demand(partition.upload(), end);
    const UploadClaim claim = s.schedule.Claim().at(0);
    s.schedule.EndRound(std::array{UploadShare{claim, end, claim.bytes}});
    return claim;
  };
  const UploadClaim behind = fly(s.first, Offset(2)), failed = fly(s.second, Offset(1));
  std::vector<UploadClaim> claims{fly(s.second, Offset(2)), behind};
  s.schedule.Failed(failed, Error(ErrorCode::kUnavailable, "down"), UploadSchedule::Outcome::kKnown);
  {
    std::jthread sleeper([&] { s.schedule.AwaitTurn(claims); });
    s.clock.AwaitLooksOfOthers(1);  // the lost one was given back: now the other waits
    s.Commit(s.flight, Offset(1));
  }
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].upload, &s.first.upload());
}

// Issue: records of a flight were deleted meanwhile; the one behind it waited for ever for an end that never came.
TEST(UploadSleepersTest, AFlightThatWasOvertakenTakesThoseBehindItAlong) {
  Sleepers s;
  s.Commit(s.flight, Offset(1));  // room for the flights below
  ScheduledPartition& partition = s.second;
  const auto fly = [&](std::size_t bytes, Offset end) {
    partition.Append(s.schedule, bytes);
    const UploadClaim claim = s.schedule.Claim().at(0);
    s.schedule.EndRound(std::array{UploadShare{claim, end, claim.bytes}});
    return std::vector{claim};
  };
  partition.Append(s.schedule, 6'000);
  std::vector<UploadClaim> ahead = fly(6'000, Offset(2)), behind = fly(12'000, Offset(3));
  partition.log().AdvanceTieredEnd(Offset(1));
  s.schedule.OnTieredEnd(partition.upload(), Offset(1));  // DeleteRecords(1), in the middle of the first
  std::atomic<bool> over{false};
  {
    std::jthread sleeper([&] {
      s.schedule.AwaitTurn(behind);
      over = true;
    });
    s.schedule.AwaitTurn(ahead);
    for (int i = 0; i < 5'000 && !over; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_TRUE(over) << "the flight behind waits for ever";
    if (!over) s.schedule.EndUpload(partition.upload(), Error(ErrorCode::kClosed, "so that the test ends"));
  }
  EXPECT_TRUE(ahead.empty());
  EXPECT_TRUE(behind.empty());
  const auto again = s.schedule.Claim();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].begin, Offset(1));
  s.schedule.Dropped(again[0]);
}

TEST(UploadSleepersTest, WhoAwaitsWorkSleepsAndHearsOfAllThatMakesSomethingDue) {
  const std::vector<std::function<void(Sleepers&)>> causes = {
      [](Sleepers& s) { s.second.Append(s.schedule, 12'000); },
      [](Sleepers& s) { s.schedule.Demand(s.second.upload(), Offset(1)); },
      [](Sleepers& s) { s.schedule.SetPressure(UploadPressure{}); },
      [](Sleepers& s) { s.schedule.Wake(); },
      [](Sleepers& s) { s.schedule.Close(Error(ErrorCode::kClosed, "closed")); },
  };
  for (std::size_t i = 0; i < causes.size(); ++i) {
    for (const bool waits : {false, true}) {
      if (!waits && (i == 1 || i == 2)) continue;  // nothing to demand
      Sleepers s;
      if (waits) s.second.Append(s.schedule, 100);
      // One minds the time, the other sleeps behind it; both hear.
      std::jthread keeper([&] { s.schedule.AwaitWork({}); });
      s.clock.AwaitLooksOfOthers(1);
      std::jthread other([&] { s.schedule.AwaitWork({}); });
      s.clock.AwaitLooksOfOthers(2);
      causes[i](s);
    }
  }
  Sleepers s;
  std::stop_source stop;
  stop.request_stop();
  s.schedule.AwaitWork(stop.get_token());  // not at all
}

TEST(UploadSleepersTest, WhoTakesOnlySomeOfWhatIsDueWakesAnotherForTheRest) {
  ScheduledPartition third, fourth;
  Sleepers s(1);
  s.schedule.Add(third.upload());
  s.schedule.Add(fourth.upload());
  s.second.Append(s.schedule, 12'000);
  const UploadClaim other = s.schedule.Claim().at(0);
  s.schedule.EndRound(std::array{UploadShare{other, Offset(1), other.bytes}});
  third.Append(s.schedule, 12'000);  // due, as is the next; no room in flight for either
  fourth.Append(s.schedule, 12'000);
  std::jthread sleeper([&] { s.schedule.AwaitWork({}); });
  s.clock.AwaitLooksOfOthers(1);
  s.Commit(s.flight, Offset(1));
  s.Commit(other, Offset(1));
  EXPECT_EQ(s.schedule.Claim().size(), 1U);
}

}  // namespace
}  // namespace millrace
