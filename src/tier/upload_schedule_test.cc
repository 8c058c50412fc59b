// Which partitions are uploaded when, and in which order their commits happen. Method: real logs over a fake WAL, a
// simulated clock; flights are ended by hand. Proves S28 and S29 (size and age, in parallel, bounded), S22 (no waiter
// is told of another's success), and that a failed flight keeps its range.
#include "tier/upload_schedule.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "env/seeded_random.h"
#include "log/log_fixture.h"
#include "meta/memory_metadata_store.h"
#include "store/memory_object_store.h"
#include "tier/scheduled_partition_fixture.h"
#include "tier/segment_uploader.h"

namespace millrace {
namespace {

constexpr auto kKnown = UploadSchedule::Outcome::kKnown;

class UploadScheduleTest : public ::testing::Test {
 protected:
  UploadScheduleTest() {
    for (int i = 0; i < 3; ++i) {
      partitions_.push_back(std::make_unique<ScheduledPartition>());
      schedule_.Add(partitions_.back()->upload());
    }
  }
  ScheduledPartition& partition(int i) { return *partitions_[i]; }
  PartitionUpload& upload(int i) { return partitions_[i]->upload(); }
  void Append(int i, std::size_t bytes = 100) { partition(i).Append(schedule_, bytes); }
  Offset End(int i) { return partition(i).log().offsets().log_end; }
  /// As the uploader does it: everything the log has.
  Offset Build(const UploadClaim& claim, Offset end) {
    schedule_.EndRound(std::array{UploadShare{claim, end, claim.bytes}});
    return end;
  }
  void Commit(const UploadClaim& claim, Offset end) {
    claim.upload->partition().log().AdvanceTieredEnd(end);
    schedule_.OnTieredEnd(*claim.upload, end);
    schedule_.Landed(claim);
  }

  SimClock clock_;
  SeededRandom random_{1};
  UploadSchedule schedule_{{.segment_bytes_max = 10'000, .segment_age_max = std::chrono::seconds(60)}, clock_, random_};
  std::vector<std::unique_ptr<ScheduledPartition>> partitions_;
};

TEST_F(UploadScheduleTest, NothingIsDueAndNothingWakesWhileNothingWaits) {
  EXPECT_TRUE(schedule_.Claim().empty());
  EXPECT_EQ(schedule_.NextDue(), std::nullopt);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_TRUE(schedule_.Claim().empty());
}

TEST_F(UploadScheduleTest, SizeMakesDueAtOnceAndAgeAfterItsTime) {
  Append(0, 100);
  const auto begun = clock_.Monotonic();
  EXPECT_EQ(schedule_.NextDue(), begun + std::chrono::seconds(60));
  EXPECT_TRUE(schedule_.Claim().empty());
  Append(1, 12'000);
  auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].upload, &upload(1));
  Commit(claims[0], Build(claims[0], End(1)));
  clock_.Advance(std::chrono::seconds(60));
  claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].upload, &upload(0));
  Commit(claims[0], Build(claims[0], End(0)));
  EXPECT_EQ(schedule_.NextDue(), std::nullopt);
  Append(0);
  EXPECT_NE(schedule_.NextDue(), std::nullopt);
}

TEST_F(UploadScheduleTest, ManySmallPartitionsShareAnObjectAndOnesSoonDueGoAlong) {
  Append(0);
  clock_.Advance(std::chrono::seconds(20));
  Append(1);
  clock_.Advance(std::chrono::seconds(35));
  Append(2);
  clock_.Advance(std::chrono::seconds(5));
  const auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 2U);
  EXPECT_EQ(claims[0].upload, &upload(0));
  EXPECT_EQ(claims[1].upload, &upload(1));
  for (const UploadClaim& claim : claims) schedule_.Dropped(claim);
}

#ifndef NDEBUG  // release builds do not count what is held
TEST_F(UploadScheduleTest, ToldUnderAMutexOfOursItEndsTheProcess) {
  schedule_.SetListener([](const PartitionUpload&, const Error*) {});
  Mutex mutex;
  EXPECT_DEATH(({
                 MutexLock lock(mutex);
                 schedule_.OnTiered(upload(0), Offset(0), [](const Result<void>&) {});
               }),
               "held_mutexes");
  schedule_.OnTiered(upload(0), Offset(1), [](const Result<void>&) {});
  EXPECT_DEATH(({
                 MutexLock lock(mutex);
                 schedule_.EndUpload(upload(0), Error(ErrorCode::kClosed, "planned"));
               }),
               "held_mutexes");
  Append(0, 12'000);
  auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  Build(claims[0], End(0));
  EXPECT_DEATH(({
                 MutexLock lock(mutex);
                 schedule_.Failed(claims[0], Error(ErrorCode::kUnavailable, "gone"), UploadSchedule::Outcome::kKnown);
               }),
               "held_mutexes");
  schedule_.Dropped(claims[0]);
}
#endif

TEST_F(UploadScheduleTest, ARefusalIsToldToWhoWaitsAndAFailureIsNot) {
  std::vector<std::string> heard;
  schedule_.SetListener([&](const PartitionUpload&, const Error* error) {
    heard.push_back(error == nullptr ? "resumed" : std::string(error->message()));
  });
  Append(0, 12'000);
  std::optional<Result<void>> outcome;
  schedule_.OnTiered(upload(0), End(0), [&](const Result<void>& result) { outcome = result; });
  auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  Build(claims[0], End(0));
  schedule_.Failed(claims[0], Error(ErrorCode::kUnavailable, "gone"), UploadSchedule::Outcome::kKnown);
  EXPECT_FALSE(outcome);
  clock_.Advance(std::chrono::minutes(1));
  claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  Build(claims[0], End(0));
  schedule_.Failed(claims[0], Error(ErrorCode::kPermissionDenied, "no"), UploadSchedule::Outcome::kRefused);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error().code(), ErrorCode::kPermissionDenied);
  ASSERT_TRUE(schedule_.Failure());
  EXPECT_EQ(schedule_.Failure()->times, 2U);
  EXPECT_EQ(schedule_.Failure()->since_ms, clock_.WallMs() - 60'000);
  EXPECT_FALSE(schedule_.Failure(upload(1)));
  clock_.Advance(std::chrono::minutes(1));
  EXPECT_FALSE(schedule_.AwaitIdle(std::chrono::nanoseconds(0)));  // tried again all the same
  claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  Commit(claims[0], Build(claims[0], End(0)));
  EXPECT_FALSE(schedule_.Failure());
  EXPECT_EQ(heard, (std::vector<std::string>{"gone", "no", "resumed"}));
}

TEST_F(UploadScheduleTest, DemandAndPressureMakeDueAndDemandGoesFirst) {
  Append(0);
  Append(1);
  schedule_.Demand(upload(1), End(1));
  auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].upload, &upload(1));
  Commit(claims[0], Build(claims[0], End(1)));
  EXPECT_TRUE(schedule_.Claim().empty());
  schedule_.SetPressure(UploadPressure{});
  claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].upload, &upload(0));
  Commit(claims[0], Build(claims[0], End(0)));
}

TEST_F(UploadScheduleTest, AFailedFlightKeepsItsRangeAndWaitsLongerEachTime) {
  Append(0, 12'000);
  std::chrono::nanoseconds last{0};
  for (int attempt = 0; attempt < 6; ++attempt) {
    auto claims = schedule_.Claim();
    ASSERT_EQ(claims.size(), 1U) << attempt;
    EXPECT_EQ(claims[0].begin, Offset(0));
    Build(claims[0], End(0));
    schedule_.Failed(claims[0], Error(ErrorCode::kUnavailable, "down"), kKnown);
    EXPECT_TRUE(schedule_.Claim().empty());
    const auto due = schedule_.NextDue();
    ASSERT_TRUE(due);
    EXPECT_GT(*due, clock_.Monotonic());
    if (attempt % 2 == 1) {
      EXPECT_GT(*due - clock_.Monotonic(), last);  // doubled twice: more than the jitter
      last = *due - clock_.Monotonic();
    }
    clock_.Advance(*due - clock_.Monotonic());
  }
  EXPECT_EQ(schedule_.State(upload(0)).failures_ever, 6U);
  EXPECT_EQ(schedule_.State(upload(0)).committed_end, Offset(0));
}

TEST_F(UploadScheduleTest, WaitersAreToldOfTheirOwnSuccessOnly) {
  Append(0);
  Append(0);
  Append(1);
  int first = 0, second = 0, other = 0;
  schedule_.OnTiered(upload(0), Offset(1), [&](const Result<void>& result) { first += result ? 1 : 100; });
  schedule_.OnTiered(upload(0), Offset(2), [&](const Result<void>& result) { second += result ? 1 : 100; });
  schedule_.OnTiered(upload(1), Offset(1), [&](const Result<void>& result) { other += result ? 1 : 100; });
  partition(0).log().AdvanceTieredEnd(Offset(1));
  schedule_.OnTieredEnd(upload(0), Offset(1));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
  EXPECT_EQ(other, 0);
  schedule_.OnTiered(upload(0), Offset(1), [&](const Result<void>& result) { first += result ? 1 : 100; });
  EXPECT_EQ(first, 2);  // inline: it is so already
  schedule_.EndUpload(upload(0), Error(ErrorCode::kFenced, "another owner"));
  EXPECT_EQ(second, 100);
  schedule_.Close(Error(ErrorCode::kClosed, "closed"));
  EXPECT_EQ(other, 100);
  schedule_.OnTiered(upload(1), Offset(1), [&](const Result<void>& result) { other += result ? 1 : 100; });
  EXPECT_EQ(other, 200);
}

TEST_F(UploadScheduleTest, CommitsHappenInOrderWhoeverIsFaster) {
  Append(0, 12'000);
  auto first = schedule_.Claim();
  ASSERT_EQ(first.size(), 1U);
  Build(first[0], Offset(1));
  Append(0, 12'000);
  auto second = schedule_.Claim();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].begin, Offset(1));
  Build(second[0], Offset(2));
  std::vector<int> order;
  {
    std::jthread late([&] {
      schedule_.AwaitTurn(second);
      order.push_back(2);
      Commit(second[0], Offset(2));
    });
    schedule_.AwaitTurn(first);
    order.push_back(1);
    Commit(first[0], Offset(1));
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(schedule_.State(upload(0)).committed_end, Offset(2));
}

TEST_F(UploadScheduleTest, AFailureTakesTheFlightsBehindItAlong) {
  Append(0, 12'000);
  auto first = schedule_.Claim();
  Build(first[0], Offset(1));
  Append(0, 12'000);
  auto second = schedule_.Claim();
  ASSERT_EQ(second.size(), 1U);
  Build(second[0], Offset(2));
  schedule_.Failed(first[0], Error(ErrorCode::kUnavailable, "down"), kKnown);
  clock_.Advance(std::chrono::minutes(5));
  EXPECT_TRUE(schedule_.Claim().empty());  // not before the second is down
  schedule_.AwaitTurn(second);
  EXPECT_TRUE(second.empty());
  const auto again = schedule_.Claim();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].begin, Offset(0));
  schedule_.Dropped(again[0]);
}

TEST_F(UploadScheduleTest, BytesInFlightAreBounded) {
  std::vector<UploadClaim> flights;
  for (int i = 0; i < 2; ++i) {
    Append(i, 12'000);
    const auto claims = schedule_.Claim();
    ASSERT_EQ(claims.size(), 1U);
    Build(claims[0], End(i));
    flights.push_back(claims[0]);
  }
  Append(2, 12'000);
  EXPECT_TRUE(schedule_.Claim().empty());
  EXPECT_EQ(schedule_.NextDue(), std::nullopt);  // a landing wakes
  schedule_.Dropped(flights[0]);
  EXPECT_EQ(schedule_.Claim().size(), 2U);
}

TEST_F(UploadScheduleTest, ASleeperWakesForADemandAndForClose) {
  std::jthread sleeper([&] {
    schedule_.AwaitWork({});
    const auto claims = schedule_.Claim();
    ASSERT_EQ(claims.size(), 1U);
    Commit(claims[0], Build(claims[0], End(0)));
    schedule_.AwaitWork({});
  });
  Append(0);
  schedule_.Demand(upload(0), End(0));
  std::uint64_t seen = schedule_.changes();
  while (schedule_.State(upload(0)).committed_end < Offset(1)) {
    schedule_.AwaitChange(seen);
    seen = schedule_.changes();
  }
  schedule_.Close(Error(ErrorCode::kClosed, "closed"));
}

TEST_F(UploadScheduleTest, UploadAllDemandsEveryPartitionInOneGo) {
  // Another uploader looks for work while UploadAll goes through the partitions: it must not take the first few alone.
  class Partitions final : public TieredPartitions {
   public:
    Partitions(std::vector<TieredPartition*> all, UploadSchedule& schedule)
        : all_(std::move(all)), schedule_(schedule) {}
    void ForEach(const std::function<void(TieredPartition&)>& visit) override {
      for (TieredPartition* partition : all_) {
        visit(*partition);
        taken_early_ += schedule_.Claim().size();
      }
      schedule_.Close(
          Error(ErrorCode::kClosed, "the test ends"));  // nothing to upload to: only the demand is looked at
    }
    std::size_t taken_early_ = 0;

   private:
    std::vector<TieredPartition*> all_;
    UploadSchedule& schedule_;
  };
  MemoryObjectStore objects;
  MemoryMetadataStore metadata;
  FakeWal wal;
  StoreClaim claim({.claims = false}, {"", "id"}, objects, metadata, clock_, random_);
  SegmentUploader uploader({}, wal, claim, objects, metadata, clock_, random_);
  ScheduledPartition first, second;
  for (ScheduledPartition* partition : {&first, &second}) {
    uploader.schedule().Add(partition->upload());
    partition->Append(uploader.schedule(), 100);
  }
  Partitions partitions({&first, &second}, uploader.schedule());
  const auto uploaded = uploader.UploadAll(partitions);
  ASSERT_FALSE(uploaded);
  EXPECT_EQ(uploaded.error().code(), ErrorCode::kClosed);
  EXPECT_EQ(partitions.taken_early_, 0U);
}

TEST_F(UploadScheduleTest, WhatIsDueTogetherSharesARoundInTheOrderOfTheWalAndAnObjectHoldsNoMoreThanItMay) {
  // The partitions' WALs are apart; a batch of another stream before it puts a partition's own further back.
  for (const int i : {2, 1, 0}) {
    partition(i).wal().AppendForeign(static_cast<std::size_t>(3 - i) * 1'000);
    Append(i, 6'000);
  }
  clock_.Advance(std::chrono::seconds(60));
  const auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 3U);
  std::uint64_t bytes = 0;
  for (std::size_t n = 0; n < 3; ++n) {
    EXPECT_EQ(claims[n].upload, &upload(2 - static_cast<int>(n)));
    EXPECT_EQ(claims[n].until, kEndOfWal);
    bytes += claims[n].bytes;
  }
  EXPECT_EQ(bytes, 10'001U);  // the last one finds no room, and counts for one byte
  EXPECT_TRUE(schedule_.Claim().empty());
  Build(claims[0], End(2));
  Build(claims[1], End(1));
  schedule_.Dropped(claims[2]);
  const auto rest = schedule_.Claim();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].upload, &upload(0));
}

TEST_F(UploadScheduleTest, ARoundOfAsManyClaimsAsItMayHaveEndsWhereTheNextOneBegins) {
  UploadSchedule schedule({.segment_bytes_max = 10'000, .claims_max = 2}, clock_, random_);
  ScheduledPartition partitions[3];
  for (int i = 0; i < 3; ++i) {
    schedule.Add(partitions[i].upload());
    partitions[i].wal().AppendForeign(static_cast<std::size_t>(i + 1) * 1'000);
    partitions[i].Append(schedule, 100);
    schedule.Demand(partitions[i].upload(), Offset(1));
  }
  const auto claims = schedule.Claim();
  ASSERT_EQ(claims.size(), 2U);
  for (const UploadClaim& claim : claims) {
    EXPECT_EQ(claim.until, partitions[2].log().ShareOf(Offset(0), kEndOfWal)->begin);
    schedule.Dropped(claim);
  }
}

TEST_F(UploadScheduleTest, WhatARoundLeavesIsClaimedTogether) {
  for (int i = 0; i < 3; ++i) {
    Append(i, 6'000);
    Append(i, 6'000);
    schedule_.Demand(upload(i), End(i));
  }
  const auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 3U);
  std::vector<UploadShare> shares;
  for (const UploadClaim& claim : claims) {
    const bool taken = claim.upload != &upload(2);
    shares.push_back({.claim = claim, .end = {}, .expected_bytes = claim.bytes});
    if (!taken) continue;
    shares.back().claim.bytes = 6'000;
    shares.back().end = Offset(1);
  }
  schedule_.EndRound(shares);
  const auto rest = schedule_.Claim();
  ASSERT_EQ(rest.size(), 3U);
  for (const UploadClaim& claim : rest) {
    EXPECT_EQ(claim.begin, Offset(claim.upload == &upload(2) ? 0 : 1));
    schedule_.Dropped(claim);
  }
}

TEST_F(UploadScheduleTest, WhatFindsNoRoomBehindWhatIsDueDoesNotGoAlong) {
  for (const std::size_t bytes : {6'000UL, 12'000UL}) {
    clock_.Advance(std::chrono::hours(1));
    const auto old = schedule_.Claim();
    for (const UploadClaim& claim : old) Commit(claim, Build(claim, claim.upload->partition().log().offsets().log_end));
    Append(0);
    clock_.Advance(std::chrono::seconds(40));  // due soon
    Append(1, bytes);
    schedule_.Demand(upload(1), End(1));
    const auto claims = schedule_.Claim();
    ASSERT_EQ(claims.size(), bytes < 10'000 ? 2U : 1U);
    EXPECT_EQ(claims[0].upload, &upload(1));
    for (const UploadClaim& claim : claims)
      Commit(claim, Build(claim, claim.upload->partition().log().offsets().log_end));
  }
}

TEST_F(UploadScheduleTest, PressureTakesWhatLiesFarEnoughBackAndMakesNoCrumbs) {
  const auto place = [&](int i) { return partition(i).log().ShareOf(Offset(0), kEndOfWal)->begin; };
  for (const int i : {0, 1, 2}) {
    partition(i).wal().AppendForeign(static_cast<std::size_t>(i + 1) * 1'000);
    Append(i, 4'000);
  }
  const auto press = [&](WalPosition until) { schedule_.SetPressure(UploadPressure{until, 5'000}); };
  press(place(1));
  const auto first = schedule_.Claim();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].upload, &upload(0));
  EXPECT_EQ(first[0].until, place(1));
  Build(first[0], End(0));
  EXPECT_TRUE(schedule_.Claim().empty());
  EXPECT_GT(*schedule_.NextDue(), clock_.Monotonic());  // so that nobody looks again and again
  press(place(2));
  EXPECT_TRUE(schedule_.Claim().empty()) << "4,000 bytes are too few while older ones are on their way";
  press(place(2) + 1);
  const auto second = schedule_.Claim();
  EXPECT_EQ(second.size(), 2U);
  for (const UploadClaim& claim : second) schedule_.Dropped(claim);
  press(place(2));
  EXPECT_TRUE(schedule_.Claim().empty());
  Commit(first[0], End(0));
  EXPECT_TRUE(schedule_.Claim().empty());  // until somebody looked whether the WAL still fills up
  press(place(2));
  EXPECT_EQ(schedule_.Claim().size(), 1U) << "nothing is on its way: however few they are, the WAL waits for them";
}

TEST_F(UploadScheduleTest, WhatIsOlderThanAllThatIsOnItsWayIsTakenUnderPressureHoweverLittleItIs) {
  partition(1).wal().AppendForeign(1'000);
  Append(1, 12'000);
  const auto newer = schedule_.Claim();
  ASSERT_EQ(newer.size(), 1U);
  Build(newer[0], End(1));
  Append(0);
  schedule_.SetPressure(UploadPressure{kEndOfWal, 5'000});
  const auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].upload, &upload(0));
}

TEST_F(UploadScheduleTest, OnlyWhatIsDueInLessThanHalfTheAgeGoesAlong) {
  Append(0);
  clock_.Advance(std::chrono::seconds(30));
  Append(1);  // due exactly half the age later
  clock_.Advance(std::chrono::seconds(30));
  const auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_EQ(claims[0].upload, &upload(0));
}

TEST_F(UploadScheduleTest, AgeCountsFromTheOldestAppendAlsoAfterARestart) {
  ScheduledPartition found;
  Buffer batch = TestBatch();
  ASSERT_TRUE(found.log().TryAppend(batch));  // no schedule is there to hear of it
  clock_.Advance(std::chrono::seconds(45));
  UploadSchedule schedule({.segment_bytes_max = 10'000, .segment_age_max = std::chrono::seconds(60)}, clock_, random_);
  schedule.Add(found.upload());
  EXPECT_EQ(schedule.NextDue(), clock_.Monotonic() + std::chrono::seconds(15));
  for (const bool full : {false, true}) {
    const std::uint64_t bytes = found.log().pending().bytes;
    UploadSchedule other({.segment_bytes_max = bytes + (full ? 0 : 1)}, clock_, random_);
    PartitionUpload again(found);
    other.Add(again);
    EXPECT_EQ(other.Claim().size(), full ? 1U : 0U);
  }
  clock_.Advance(std::chrono::seconds(15));
  EXPECT_EQ(schedule.Claim().size(), 1U);
}

TEST_F(UploadScheduleTest, AfterAnUnknownOutcomeMetadataIsToldApartFromWhatIsKnown) {
  Append(0, 12'000);
  auto claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_FALSE(claims[0].unsure);
  Build(claims[0], End(0));
  schedule_.Failed(claims[0], Error(ErrorCode::kUnavailable, "lost"), UploadSchedule::Outcome::kUnknown);
  for (int round = 0; round < 2; ++round) {  // a known failure in between changes nothing
    clock_.Advance(std::chrono::minutes(1));
    claims = schedule_.Claim();
    ASSERT_EQ(claims.size(), 1U);
    EXPECT_TRUE(claims[0].unsure);
    if (round == 0) schedule_.Failed(claims[0], Error(ErrorCode::kUnavailable, "down"), kKnown);
  }
  partition(0).log().AdvanceTieredEnd(Offset(1));
  schedule_.OnTieredEnd(upload(0), Offset(1));
  schedule_.Resynced(claims[0]);
  EXPECT_EQ(claims[0].begin, Offset(1));
  EXPECT_FALSE(claims[0].unsure);
  schedule_.Dropped(claims[0]);
  EXPECT_EQ(schedule_.NextDue(), std::nullopt);
  Append(0, 12'000);
  claims = schedule_.Claim();
  ASSERT_EQ(claims.size(), 1U);
  EXPECT_FALSE(claims[0].unsure);
  schedule_.Dropped(claims[0]);
}

TEST_F(UploadScheduleTest, WhatIsBelowTheTieredEndWaitsForNothingAndTheSameEndTwiceIsNoChange) {
  Append(0);
  partition(0).log().AdvanceTieredEnd(Offset(1));  // by log_start, say: no flight of ours
  schedule_.OnTieredEnd(upload(0), Offset(1));
  EXPECT_EQ(schedule_.NextDue(), std::nullopt);
  const std::uint64_t changes = schedule_.changes();
  schedule_.OnTieredEnd(upload(0), Offset(1));
  EXPECT_EQ(schedule_.changes(), changes);
}

TEST_F(UploadScheduleTest, AClaimGivenBackIsTakenAgainWhileFlightsBeforeItGoOn) {
  Append(0, 12'000);
  const auto first = schedule_.Claim();
  ASSERT_EQ(first.size(), 1U);
  Build(first[0], Offset(1));
  Append(0, 12'000);
  const auto second = schedule_.Claim();
  ASSERT_EQ(second.size(), 1U);
  schedule_.Dropped(second[0]);
  const auto again = schedule_.Claim();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].begin, Offset(1));
}

TEST_F(UploadScheduleTest, TheEarliestOfSeveralFailuresDecidesWhichFlightsAreLost) {
  for (const auto& [i, order] : {std::pair(0, std::pair(2, 0)), {1, {0, 2}}}) {
    std::vector<std::vector<UploadClaim>> flights;
    for (int n = 0; n < 3; ++n) {
      Append(i, 6'000);
      schedule_.Demand(upload(i), End(i));
      flights.push_back(schedule_.Claim());
      ASSERT_EQ(flights.back().size(), 1U);
      Build(flights.back()[0], Offset(n + 1));
    }
    for (const int n : {order.first, order.second})
      schedule_.Failed(flights[static_cast<std::size_t>(n)][0], Error(ErrorCode::kUnavailable, "down"), kKnown);
    schedule_.AwaitTurn(flights[1]);
    EXPECT_TRUE(flights[1].empty());
    clock_.Advance(std::chrono::minutes(5));
    const auto again = schedule_.Claim();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].begin, Offset(0));
    Commit(again[0], Build(again[0], End(i)));
  }
}

TEST_F(UploadScheduleTest, TheLongestFailureIsNamedAndEndsWithItsUpload) {
  const auto fail = [&](int i) {
    Append(i, 12'000);
    const auto claims = schedule_.Claim();
    ASSERT_EQ(claims.size(), 1U);
    schedule_.Failed(claims[0], Error(ErrorCode::kUnavailable, std::to_string(i)), kKnown);
    clock_.Advance(std::chrono::milliseconds(1));
  };
  fail(1);
  fail(0);
  ASSERT_TRUE(schedule_.Failure());
  EXPECT_EQ(schedule_.Failure()->error.message(), "1");
  schedule_.EndUpload(upload(1), Error(ErrorCode::kFenced, "another owner"));
  EXPECT_EQ(schedule_.Failure()->error.message(), "0");
  EXPECT_FALSE(schedule_.Failure(upload(1)));
  EXPECT_FALSE(schedule_.State(upload(1)).last_error);
  EXPECT_EQ(schedule_.State(upload(1)).ended->code(), ErrorCode::kFenced);
  schedule_.Close(Error(ErrorCode::kClosed, "closed"));
  EXPECT_FALSE(schedule_.Failure());
  EXPECT_EQ(schedule_.State(upload(1)).ended->code(), ErrorCode::kFenced);  // the first reason stays
  ScheduledPartition late;
  schedule_.Add(late.upload());
  EXPECT_EQ(schedule_.State(late.upload()).ended->code(), ErrorCode::kClosed);
  EXPECT_TRUE(schedule_.AwaitIdle(std::chrono::hours(1)));
  EXPECT_TRUE(schedule_.Claim().empty());
}

}  // namespace
}  // namespace millrace
