// Goal: each fault of a batch is told by its own name, in the order that Kafka looks for them, and a good batch passes
// whatever its codec; the log's time is stamped without a second pass over the records.
// Method: build, forge fields with a right CRC, cut at every byte, and compare a stamped CRC with one taken whole.
#include "record/batch_check.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "record/batch_slice.h"
#include "record/batch_validator.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_layout.h"

namespace millrace {
namespace {

namespace layout = batch_layout;

using Bytes = std::vector<std::byte>;

Bytes Built(const std::vector<Record>& records, Compression compression = Compression::kNone) {
  auto built = BuildRecordBatch(records, {.compression = compression, .now_ms = 42});
  EXPECT_TRUE(built);
  return {built->bytes().begin(), built->bytes().end()};
}
Bytes Three(Compression compression = Compression::kNone) {
  return Built({{.timestamp_ms = 100, .key = "k", .value = std::string(200, 'v')},
                {.timestamp_ms = 300, .key = "k", .value = "w"},
                {.timestamp_ms = 200, .key = "k", .value = std::nullopt}},
               compression);
}
void MakeCrcRight(Bytes& bytes) {
  PutBe(bytes.data() + layout::kCrc, Crc32c(std::span<const std::byte>(bytes).subspan(layout::kAttributes)));
}
template <class T>
Bytes Forged(Bytes bytes, std::size_t at, T value) {
  PutBe(bytes.data() + at, value);
  MakeCrcRight(bytes);
  return bytes;
}
std::string Fault(const Bytes& bytes, const BatchDemands& demands = {}) {
  const BatchVerdict verdict = CheckBatch(bytes, demands);
  EXPECT_EQ(verdict.ok(), verdict.message.empty());
  return std::string(BatchFaultName(verdict.fault));
}
const BatchDemands kWalked{.check = BatchCheck::kRecords};

TEST(BatchCheckTest, GoodBatchesPassWithTheirFacts) {
  for (const auto codec :
       {Compression::kNone, Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd}) {
    const Bytes bytes = Three(codec);
    for (const BatchCheck check : {BatchCheck::kHeader, BatchCheck::kRecords}) {
      const BatchVerdict verdict = CheckBatch(bytes, {.check = check});
      ASSERT_TRUE(verdict.ok()) << verdict.message;
      EXPECT_EQ(verdict.facts.size_bytes, bytes.size());
      EXPECT_EQ(verdict.facts.record_count, 3);
      EXPECT_EQ(verdict.facts.compression, codec);
      EXPECT_EQ(verdict.facts.base_timestamp_ms, 100);
      EXPECT_EQ(verdict.facts.max_timestamp_ms, 300);
      EXPECT_EQ(verdict.facts.producer_id, -1);
      EXPECT_EQ(verdict.facts.latest_ms,
                check == BatchCheck::kRecords ? std::optional(std::int64_t{300}) : std::nullopt);
    }
  }
}

TEST(BatchCheckTest, EachFaultOfTheHeaderHasItsName) {
  const Bytes good = Three();
  EXPECT_EQ(Fault({}), "kNoBatch");
  for (const int magic : {0, 1}) EXPECT_EQ(Fault(Forged(good, layout::kMagic, std::int8_t(magic))), "kOldMagic");
  for (const int magic : {3, 127, -1})
    EXPECT_EQ(Fault(Forged(good, layout::kMagic, std::int8_t(magic))), "kUnknownMagic");
  for (const int length : {48, 0, -1}) EXPECT_EQ(Fault(Forged(good, layout::kLength, std::int32_t(length))), "kLength");
  EXPECT_EQ(Fault(Forged(good, layout::kLength, std::int32_t(good.size()))), "kCutShort");
  EXPECT_EQ(Fault(Forged(good, layout::kBaseOffset, std::int64_t{1})), "kBaseOffset");
  EXPECT_EQ(Fault(Forged(good, layout::kBaseOffset, std::int64_t{-1})), "kBaseOffset");
  EXPECT_EQ(Fault(Forged(good, layout::kAttributes, std::int16_t{5})), "kCodec");
  EXPECT_EQ(Fault(Forged(good, layout::kAttributes, std::int16_t{0x20})), "kControl");
  EXPECT_EQ(Fault(Forged(good, layout::kAttributes, std::int16_t{0x10})), "kTransactional");
  EXPECT_EQ(Fault(Forged(good, layout::kAttributes, std::int16_t{0x08})), "kTimeType");
  for (const int count : {0, -1, 2, 4})
    EXPECT_EQ(Fault(Forged(good, layout::kRecordCount, std::int32_t(count))), "kCount");
  EXPECT_EQ(Fault(Forged(good, layout::kLastOffsetDelta, std::int32_t{3})), "kCount");
  EXPECT_EQ(Fault(Forged(good, layout::kProducerId, std::int64_t{7})), "kSequence") << "the builder's sequence is -1";
  EXPECT_EQ(Fault(Forged(Forged(good, layout::kProducerId, std::int64_t{7}), layout::kBaseSequence, std::int32_t{0})),
            "kNone");
  Bytes flipped = good;
  flipped.back() ^= std::byte{1};
  EXPECT_EQ(Fault(flipped), "kCrc");
}

TEST(BatchCheckTest, CountBeyondTheBytesIsRefusedBeforeAnyWalk) {
  Bytes lying = Forged(Forged(Three(), layout::kRecordCount, std::int32_t{1'000'000}), layout::kLastOffsetDelta,
                       std::int32_t{999'999});
  EXPECT_EQ(Fault(lying), "kCount");
}

TEST(BatchCheckTest, CutAtEveryByteIsCutShort) {
  const Bytes good = Three();
  for (std::size_t size = 1; size < good.size(); ++size)
    EXPECT_EQ(Fault(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))), "kCutShort") << size;
}

TEST(BatchCheckTest, WhatFollowsTheBatchIsRefused) {
  Bytes two = Three();
  two.push_back(std::byte{0});
  EXPECT_EQ(Fault(two), "kSecondBatch");
  two = Three();
  const Bytes second = Three();
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(Fault(two), "kSecondBatch");
}

TEST(BatchCheckTest, SizeIsJudgedAsSentAndBeforeTheCrc) {
  Bytes bytes = Three();
  EXPECT_EQ(Fault(bytes, {.batch_bytes_max = bytes.size()}), "kNone");
  bytes.back() ^= std::byte{1};
  EXPECT_EQ(Fault(bytes, {.batch_bytes_max = bytes.size() - 1}), "kTooLarge");
}

TEST(BatchCheckTest, FlippedBitAnywhereIsNoticed) {
  const Bytes good = Three(Compression::kLz4);
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (at >= layout::kLeaderEpoch && at < layout::kMagic) continue;  // the log's own, and not judged
    Bytes bytes = good;
    bytes[at] ^= std::byte{0x04};
    EXPECT_NE(Fault(bytes), "kNone") << at;
  }
}

TEST(BatchCheckTest, TimesAreHeldToTheDemands) {
  EXPECT_EQ(Fault(Three(), {.timestamp_min_ms = 100, .timestamp_max_ms = 300}), "kNone");
  EXPECT_EQ(Fault(Three(), {.timestamp_min_ms = 101}), "kTimestamp") << "of the first record";
  EXPECT_EQ(Fault(Three(), {.timestamp_max_ms = 299}), "kTimestamp") << "of the header's maximum";
  const Bytes none =
      Forged(Forged(Three(), layout::kBaseTimestamp, std::int64_t{-1}), layout::kMaxTimestamp, std::int64_t{-1});
  EXPECT_EQ(Fault(none, {.timestamp_min_ms = 101}), "kNone") << "-1 is no time";
  // A header that does not tell: only the walk finds the record.
  const Bytes hidden = Forged(Three(), layout::kMaxTimestamp, std::int64_t{100});
  EXPECT_EQ(Fault(hidden, {.timestamp_max_ms = 250}), "kNone");
  const BatchVerdict walked = CheckBatch(hidden, {.check = BatchCheck::kRecords, .timestamp_max_ms = 250});
  EXPECT_EQ(BatchFaultName(walked.fault), "kTimestamp");
  EXPECT_EQ(walked.record, 1);
}

TEST(BatchCheckTest, FaultsOfRecordsAreFoundByTheWalkAloneAndNumbered) {
  Bytes bytes = Three();
  const std::size_t last_value_length = bytes.size() - 2;  // -1, then no headers
  bytes[last_value_length] = std::byte{0x50};
  MakeCrcRight(bytes);
  EXPECT_EQ(Fault(bytes), "kNone");
  BatchVerdict verdict = CheckBatch(bytes, kWalked);
  EXPECT_EQ(BatchFaultName(verdict.fault), "kRecords");
  EXPECT_EQ(verdict.record, 2);

  verdict = CheckBatch(Built({{.key = "a", .value = "1"}, {.value = "2"}}),
                       {.check = BatchCheck::kRecords, .require_keys = true});
  EXPECT_EQ(BatchFaultName(verdict.fault), "kNullKey");
  EXPECT_EQ(verdict.record, 1);

  verdict = CheckBatch(Three(), {.check = BatchCheck::kRecords, .record_bytes_max = 200});
  EXPECT_EQ(BatchFaultName(verdict.fault), "kRecordTooLarge");
  EXPECT_EQ(verdict.record, 0);
  EXPECT_EQ(Fault(Three(), {.check = BatchCheck::kRecords, .record_bytes_max = 201}), "kNone");
}

TEST(BatchCheckTest, BombIsRefusedUnderTheCap) {
  const Bytes bomb = Built({{.value = std::string(1'000'000, 'a')}}, Compression::kZstd);
  ASSERT_LT(bomb.size(), 10'000U);
  EXPECT_EQ(Fault(bomb, {.check = BatchCheck::kRecords, .inflated_bytes_max = 500'000}), "kRecordTooLarge");
  EXPECT_EQ(Fault(bomb, kWalked), "kNone");
}

TEST(BatchCheckTest, LinkedLz4BlocksAreRefusedByTheHeader) {
  Bytes bytes = Three(Compression::kLz4);
  const std::size_t flags = kBatchHeaderBytes + 4;
  ASSERT_NE(bytes[flags] & std::byte{0x20}, std::byte{0}) << "our own are independent";
  bytes[flags] &= ~std::byte{0x20};
  MakeCrcRight(bytes);
  EXPECT_EQ(Fault(bytes), "kCodec");
}

TEST(BatchCheckTest, LogAppendTimeIsStampedWithoutLookingAtTheRecordsAgain) {
  for (const std::size_t value_bytes : {10U, 100'000U}) {
    Bytes bytes =
        Built({{.timestamp_ms = 1, .value = std::string(value_bytes, 'v')}, {.timestamp_ms = 2, .value = "w"}});
    const BatchVerdict verdict = CheckBatch(bytes, {.records_crc = true});
    ASSERT_TRUE(verdict.facts.records_crc);
    for (const std::int64_t now_ms : {std::int64_t{5'000}, std::int64_t{6'000}}) {
      StampLogAppendTime(bytes, now_ms, *verdict.facts.records_crc);
      const auto valid = ValidateBatch(bytes, {});
      ASSERT_TRUE(valid) << valid.error().message();
      EXPECT_TRUE(valid->log_append_time());
      EXPECT_EQ(valid->max_timestamp_ms(), now_ms);
    }
  }
}

TEST(BatchCheckTest, RecordsCrcIsThereWhenAskedForAndForLargeBatches) {
  EXPECT_FALSE(CheckBatch(Three(), {}).facts.records_crc);
  EXPECT_TRUE(CheckBatch(Three(), {.records_crc = true}).facts.records_crc);
  EXPECT_TRUE(CheckBatch(Built({{.value = std::string(20'000, 'v')}}), {}).facts.records_crc);
}

TEST(BatchSliceTest, LargeShareOfAFrameIsKeptInPlaceAndTheRestCopied) {
  const auto owner = std::make_shared<Bytes>(100'000);
  const ReceivedFrame frame{owner, *owner};
  const auto taken_in_place = [&](std::size_t begin, std::size_t size) {
    const auto part = std::span(*owner).subspan(begin, size);
    part[0] = std::byte{7};
    Buffer taken = TakeBatch(frame, part);
    EXPECT_EQ(taken.size(), size);
    EXPECT_EQ(taken.bytes()[0], std::byte{7});
    return taken.bytes().data() == part.data();
  };
  EXPECT_TRUE(taken_in_place(0, 100'000));
  EXPECT_TRUE(taken_in_place(75'000, 25'000));
  EXPECT_FALSE(taken_in_place(10, 24'999)) << "less than a quarter of the frame";
  const auto small = std::make_shared<Bytes>(16'383);
  EXPECT_NE(TakeBatch({small, *small}, *small).bytes().data(), small->data()) << "less than 16 KiB";
}

TEST(BatchSliceTest, SliceKeepsItsFrameAliveAndIsStampedInIt) {
  auto owner = std::make_shared<Bytes>(Built({{.value = std::string(20'000, 'v')}}));
  std::byte* const at = owner->data();
  const std::weak_ptr<Bytes> watched = owner;
  Buffer taken = TakeBatch({owner, *owner}, *owner);
  owner.reset();
  StampBatch(taken.bytes(), Offset(9), LeaderEpoch(3));
  SharedBytes frozen = std::move(taken).Freeze();
  EXPECT_EQ(frozen.data(), at);
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(RecordBatchView::Parse(frozen)->base_offset(), Offset(9));
  frozen = {};
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace millrace
