// What a round of an upload reads of the WAL: each byte once, whatever the number of partitions; and that damage, a
// recycled file or a stop concern nobody but those they concern. Method: real logs over a fake WAL that counts what is
// read of it. Concerns S22, S24 and S28.
#include "tier/wal_sweep.h"

#include <gtest/gtest.h>

#include <stop_token>

#include "millrace/request_scope.h"
#include "tier/segment_uploader.h"
#include "tier/tier_fixture.h"

namespace millrace {
namespace {

constexpr std::uint64_t kAll = 1 << 30;

struct SweepFixture : TierFixture {
  explicit SweepFixture(int count, std::uint64_t tail_bytes = 0) : TierFixture(count, {}, tail_bytes) {}
  PartitionLog& log(int i) { return partitions[static_cast<std::size_t>(i)]->log(); }
  /// All that the partitions have.
  std::vector<SweptClaim> Claims() {
    std::vector<SweptClaim> claims;
    for (const auto& partition : partitions)
      claims.push_back({.log = &partition->log(), .begin = Offset(0), .end = partition->log().offsets().log_end});
    return claims;
  }
  std::vector<SweptClaim> Sweep(std::uint64_t bytes_max = kAll) {
    std::vector<SweptClaim> claims = Claims();
    SweepWal(wal, claims, {.bytes_max = bytes_max, .others_bytes_max = bytes_max, .codec = SegmentCodec::kNone});
    return claims;
  }
  static std::int64_t EndOf(const SweptClaim& claim) { return claim.cut ? claim.cut->segment.end.value() : -1; }
  std::uint64_t wal_bytes() { return static_cast<std::uint64_t>(wal.end().value()); }
};

struct Uploaded {
  double read_times = 0;  // each byte of the WAL
  std::size_t objects = 0;
};

/// `rounds` batches of `bytes` in each of `count` partitions in turn, all uploaded in objects of `object_bytes`.
Uploaded Upload(int count, int rounds, std::size_t bytes, std::uint64_t object_bytes) {
  TierFixture f(count);
  SegmentUploader uploader({.schedule = {.segment_bytes_max = object_bytes}, .codec = SegmentCodec::kNone}, f.wal,
                           f.claim, f.objects, f.metadata, f.clock, f.random);
  for (const auto& partition : f.partitions) {
    partition->schedule = &uploader.schedule();
    uploader.schedule().Add(partition->upload());
  }
  for (int round = 0; round < rounds; ++round)
    for (int i = 0; i < count; ++i) f.Append(i, bytes);
  EXPECT_TRUE(uploader.UploadAll(f));
  for (int i = 0; i < count; ++i) EXPECT_EQ(f.Row(i).tiered_end, Offset(rounds)) << i;
  return {static_cast<double>(f.wal.bytes_read()) / static_cast<double>(f.wal.end().value()), f.Stored()};
}

TEST(WalSweepTest, EachByteIsReadOnceWhateverTheNumberOfPartitions) {
  for (const auto& [count, rounds, bytes] : {std::tuple(1, 2'048, 1'000U), std::tuple(64, 32, 1'000U),
                                             std::tuple(512, 4, 1'000U), std::tuple(64, 160, 100U)}) {
    const Uploaded one = Upload(count, rounds, bytes, kAll);
    EXPECT_LE(one.read_times, 1.001) << count;
    EXPECT_EQ(one.objects, 1U);
    const Uploaded many = Upload(count, rounds, bytes, 256 << 10);
    EXPECT_LE(many.read_times, 1.001 + 0.01 * static_cast<double>(many.objects)) << count << " in " << many.objects;
    EXPECT_GE(many.objects, 6U);
    EXPECT_LE(many.objects, 14U);
  }
}

TEST(WalSweepTest, ThinPartitionsThatLagAreReadInOneSweepToo) {
  SweepFixture f(200);
  for (int i = 0; i < 2'000; ++i) {
    f.Append(0, 5'000);
    if (i % 10 == 0) f.Append(1 + i / 10 % 199);
  }
  f.log(0).AdvanceTieredEnd(Offset(2'000));
  std::vector<SweptClaim> claims = f.Claims();
  claims.erase(claims.begin());
  SweepWal(f.wal, claims, {.bytes_max = kAll, .others_bytes_max = kAll, .codec = SegmentCodec::kNone});
  for (const SweptClaim& claim : claims) EXPECT_EQ(SweepFixture::EndOf(claim), claim.end.value());
  EXPECT_LE(f.wal.bytes_read(), f.wal_bytes());
}

TEST(WalSweepTest, ARoundTakesTheOldestAndTheNextBeginsWhereItEnded) {
  SweepFixture f(3);
  for (int i = 0; i < 9; ++i) f.Append(i % 3);
  const std::uint64_t batch = f.Sweep()[0].cut->raw_bytes / 3;
  const auto claims = f.Sweep(4 * batch);
  EXPECT_EQ(SweepFixture::EndOf(claims[0]), 2);
  EXPECT_EQ(SweepFixture::EndOf(claims[1]), 1);
  EXPECT_EQ(SweepFixture::EndOf(claims[2]), 1);
  const auto first = f.Sweep(batch);
  EXPECT_EQ(SweepFixture::EndOf(first[0]), 1);
  EXPECT_FALSE(first[1].cut || first[1].error);
  std::vector<SweptClaim> rest = f.Claims();
  rest.erase(rest.begin() + 1, rest.end());
  rest[0].begin = Offset(2);
  const std::uint64_t before = f.wal.bytes_read();
  SweepWal(f.wal, rest, {.bytes_max = batch, .others_bytes_max = batch, .codec = SegmentCodec::kNone});
  EXPECT_EQ(SweepFixture::EndOf(rest[0]), 3);
  EXPECT_LT(f.wal.bytes_read() - before, f.wal_bytes() * 2 / 3);  // not from the front of its interval
}

TEST(WalSweepTest, ClaimsThatACallerWaitsForDoNotStandBackBehindOlderOnes) {
  SweepFixture f(2);
  for (int i = 0; i < 5; ++i) f.Append(0);
  f.Append(1);
  std::vector<SweptClaim> claims = f.Claims();
  claims[1].first = true;
  const std::uint64_t batch = f.Sweep()[1].cut->raw_bytes;
  SweepWal(f.wal, claims, {.bytes_max = 3 * batch, .others_bytes_max = 2 * batch, .codec = SegmentCodec::kNone});
  EXPECT_EQ(SweepFixture::EndOf(claims[0]), 2);
  EXPECT_EQ(SweepFixture::EndOf(claims[1]), 1);
}

TEST(WalSweepTest, AClaimMayBeginAndEndAnywhere) {
  SweepFixture f(2);
  for (int i = 0; i < 8; ++i) f.Append(i % 2);
  std::vector<SweptClaim> claims = f.Claims();
  claims[0].begin = Offset(2);
  claims[0].end = Offset(3);
  claims[1].begin = Offset(3);
  SweepWal(f.wal, claims, {.bytes_max = kAll, .others_bytes_max = kAll, .codec = SegmentCodec::kNone});
  EXPECT_EQ(claims[0].cut->segment.base, Offset(2));
  EXPECT_EQ(SweepFixture::EndOf(claims[0]), 3);
  EXPECT_EQ(claims[1].cut->segment.base, Offset(3));
  EXPECT_EQ(SweepFixture::EndOf(claims[1]), 4);
}

TEST(WalSweepTest, DamageConcernsItsPartitionAloneAndTheRestIsReadOnce) {
  for (const int damaged : {0, 1, 5}) {  // the batch of partition 1
    SweepFixture f(50);
    std::vector<WalPosition> begins;
    for (int round = 0; round < 6; ++round)
      for (int i = 0; i < 50; ++i) {
        if (i == 1) begins.push_back(f.wal.end());
        f.Append(i, 2'000);
      }
    f.wal.Damage(begins[static_cast<std::size_t>(damaged)]);
    const auto claims = f.Sweep();
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(claims[static_cast<std::size_t>(i)].cut) << i;
      if (i != 1) EXPECT_EQ(SweepFixture::EndOf(claims[static_cast<std::size_t>(i)]), 6) << i;
    }
    EXPECT_EQ(SweepFixture::EndOf(claims[1]), damaged == 0 ? 1 : damaged);
    EXPECT_EQ(claims[1].cut->damage.has_value(), damaged == 0);
    EXPECT_LE(f.wal.bytes_read(), 2 * f.wal_bytes()) << "one reads by itself, no more";
  }
}

TEST(WalSweepTest, DamageThatIsSaidToReachFarIsPassedToTheNearestPlaceThatCanBeRead) {
  SweepFixture f(2);
  const WalPosition damaged = f.wal.end();
  f.Append(0, 500'000);
  f.wal.AppendForeign(500'000);
  f.Append(1, 1'000);
  // The damage is said to reach far, as that of a header does: nothing tells where the next frame begins.
  f.wal.DamageUpTo(damaged, f.wal.end() + 1'000'000);
  const auto claims = f.Sweep();
  EXPECT_EQ(SweepFixture::EndOf(claims[1]), 1);
  ASSERT_TRUE(claims[0].cut);
  EXPECT_TRUE(claims[0].cut->damage);
}

TEST(WalSweepTest, WhatIsInMemoryIsNotReadFromTheWal) {
  SweepFixture f(8, 64 << 20);
  for (int i = 0; i < 80; ++i) f.Append(i % 8, 1'000);
  for (const SweptClaim& claim : f.Sweep()) EXPECT_EQ(SweepFixture::EndOf(claim), 10);
  EXPECT_EQ(f.wal.reads(), 0U);
}

TEST(WalSweepTest, OfWhatIsPartlyInMemoryTheRestIsRead) {
  SweepFixture f(4, 2'000'000);
  for (int i = 0; i < 4'000; ++i) f.Append(i % 4, 1'000);
  ASSERT_GT(f.log(0).tail_begin(), Offset(500));
  ASSERT_LT(f.log(0).tail_begin(), Offset(700));
  for (const SweptClaim& claim : f.Sweep()) {
    EXPECT_EQ(SweepFixture::EndOf(claim), 1'000);
    EXPECT_EQ(claim.cut->segment.records, 1'000U);
  }
  EXPECT_LT(f.wal.bytes_read(), f.wal_bytes() * 85 / 100);
  EXPECT_GT(f.wal.bytes_read(), f.wal_bytes() / 2);
}

TEST(WalSweepTest, WhatIsNotHotAnyMoreIsToldAndTheOthersAreTaken) {
  SweepFixture f(2);
  f.Append(0);
  const WalPosition end = f.Append(0).wal_end;
  f.Append(1);
  std::vector<SweptClaim> claims = f.Claims();
  f.wal.Recycle(end);  // the claims were made before
  SweepWal(f.wal, claims, {.bytes_max = kAll, .others_bytes_max = kAll, .codec = SegmentCodec::kNone});
  ASSERT_TRUE(claims[0].error);
  EXPECT_EQ(SweepFixture::EndOf(claims[1]), 1);
  f.log(0).AdvanceTieredEnd(Offset(2));
  f.log(0).OnRecycled(end);
  std::vector<SweptClaim> again = f.Claims();
  SweepWal(f.wal, again, {.bytes_max = kAll, .others_bytes_max = kAll, .codec = SegmentCodec::kNone});
  EXPECT_EQ(again[0].error->code(), ErrorCode::kOutOfRange);
}

TEST(WalSweepTest, AStoppedSweepTakesNothingMoreAndIsNoFailure) {
  SweepFixture f(2);
  for (int i = 0; i < 4; ++i) f.Append(i % 2);
  std::stop_source stop;
  stop.request_stop();
  const RequestScope scope({.stop = stop.get_token()});
  for (const SweptClaim& claim : f.Sweep()) EXPECT_FALSE(claim.cut || claim.error);
  EXPECT_EQ(f.wal.reads(), 0U);
}

TEST(WalSweepTest, AFewBatchesDoNotKeepInMemoryWhatWasReadWithThem) {
  for (const bool few : {false, true}) {
    SweepFixture f(1);
    f.Append(0, 10'000);
    if (few) f.wal.AppendForeign(50'000);
    f.wal.MakeAllDurable();
    const std::byte* in_wal = f.wal.Frames(f.wal.end())[0].payload.bytes().data();
    const auto claims = f.Sweep();
    ASSERT_TRUE(claims[0].cut);
    EXPECT_EQ(claims[0].cut->segment.pieces[1].bytes().data() == in_wal, !few);
  }
}

}  // namespace
}  // namespace millrace
