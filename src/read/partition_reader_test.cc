// Goal: any offset is read through one call, across segments, WAL and tail, without gap or repeat, within exact limits;
// damage and outage are typed errors that name their place. Method: a partition over a fake WAL, real segments in a
// memory store, uploads and recycling done by the test. Proves R5, R6, R8, R22, W1-W3, W17, W38, S12-S16, S22, B12,
// B14, B34 (for Read), B51, B62.
#include "read/partition_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "meta/catalog.h"
#include "read/read_fixture.h"

namespace millrace {
namespace {

using testing::ElementsAre;

TEST(PartitionReaderTest, ReadsAcrossSegmentsWalAndTailInOneCall) {
  ReadFixture f({.tail_bytes_max = 3000});
  for (int i = 0; i < 20; ++i) f.AppendNumbered(3);
  f.Upload();
  for (int i = 0; i < 20; ++i) f.AppendNumbered(3);
  f.Upload(f.partition, Offset(90));
  f.Recycle();
  for (int i = 0; i < 30; ++i) f.AppendNumbered(3);
  const ReadResult all = f.partition.reader->Read(Offset(0), {.bytes_max = UINT64_MAX}).value();
  ASSERT_EQ(all.records.size(), 210u);
  for (std::size_t i = 0; i < all.records.size(); ++i) {
    EXPECT_EQ(all.records[i].offset, Offset(static_cast<std::int64_t>(i)));
    EXPECT_TRUE(all.records[i].value->starts_with("record " + std::to_string(i) + ' '));
  }
  EXPECT_EQ(all.next, Offset(210));
  EXPECT_EQ(all.high_watermark, Offset(210));
  EXPECT_GT(all.explanation.bytes.object_store, 0u);
  EXPECT_GT(all.explanation.bytes.wal, 0u);
  EXPECT_GT(all.explanation.bytes.tail, 0u);
}

TEST(PartitionReaderTest, EndIsEmptyAndOutsideIsOutOfRangeWithBounds) {
  ReadFixture f;
  EXPECT_TRUE(f.partition.reader->Read(Offset(0), {})->records.empty());
  f.AppendNumbered(10);
  const ReadResult end = f.partition.reader->Read(Offset(10), {}).value();
  EXPECT_TRUE(end.records.empty());
  EXPECT_EQ(end.next, Offset(10));
  EXPECT_EQ(end.high_watermark, Offset(10));
  f.Trim(f.partition, Offset(4));
  for (const int outside : {-1, 0, 3, 11}) {
    const Error error = f.partition.reader->Read(Offset(outside), {}).error();
    EXPECT_EQ(error.code(), ErrorCode::kOutOfRange);
    EXPECT_EQ(error.bounds(), (OffsetBounds{Offset(4), Offset(10)}));
  }
  EXPECT_THAT(OffsetsOf(*f.partition.reader->Read(Offset(4), {})), ElementsAre(4, 5, 6, 7, 8, 9));
  f.AppendNumbered(1);
  EXPECT_THAT(OffsetsOf(*f.partition.reader->Read(Offset(10), {})), ElementsAre(10));
}

TEST(PartitionReaderTest, WholeBatchesEndWithTheOneThatBringsRecordsMax) {
  for (const bool cold : {false, true}) {
    ReadFixture f;
    for (int i = 0; i < 5; ++i) f.AppendNumbered(3);
    if (cold) {
      f.Upload();
      f.Recycle();
    }
    const BatchReadResult read = f.partition.reader->ReadBatches(Offset(0), {.records_max = 6}).value();
    EXPECT_EQ(read.batches.size(), 2u) << cold;
    EXPECT_EQ(read.next, Offset(6)) << cold;
  }
}

TEST(PartitionReaderTest, RecordsMaxCutsExactlyAndBytesMaxAtABatchBorder) {
  for (const bool cold : {false, true}) {
    ReadFixture f;
    std::uint64_t size = 0;
    for (int i = 0; i < 5; ++i) {
      const WalPosition before = f.wal.end();
      size = static_cast<std::uint64_t>(f.AppendNumbered(4, 100).wal_end - before) - FakeWal::kFrameOverhead;
    }
    if (cold) {
      f.Upload();
      f.Recycle();
    }
    PartitionReader& reader = *f.partition.reader;
    ReadResult read = reader.Read(Offset(2), {.records_max = 5}).value();
    EXPECT_THAT(OffsetsOf(read), ElementsAre(2, 3, 4, 5, 6));
    EXPECT_EQ(read.next, Offset(7));
    read = reader.Read(Offset(7), {.records_max = 1}).value();
    EXPECT_THAT(OffsetsOf(read), ElementsAre(7));
    EXPECT_EQ(read.next, Offset(8));
    read = reader.Read(Offset(1), {.bytes_max = 2 * size}).value();
    EXPECT_THAT(OffsetsOf(read), ElementsAre(1, 2, 3, 4, 5, 6, 7));
    EXPECT_EQ(read.next, Offset(8));
    EXPECT_THAT(OffsetsOf(*reader.Read(Offset(19), {.bytes_max = 0})), ElementsAre(19));
    read = reader.Read(Offset(3), {.records_max = 0}).value();
    EXPECT_TRUE(read.records.empty());
    EXPECT_EQ(read.next, Offset(3));
    EXPECT_EQ(reader.ReadBatches(Offset(0), {.bytes_max = size * 3})->batches.size(), 3u);
  }
}

TEST(PartitionReaderTest, NullEmptyHeadersAndZeroLengthSurviveEverySource) {
  ReadFixture f;
  const std::vector<Record> records = {{.timestamp_ms = 5},
                                       {.timestamp_ms = 6, .key = "", .value = ""},
                                       {.timestamp_ms = 7, .value = "v", .headers = {{"h", {}}, {"", "x"}}}};
  f.Append(records);
  for (const bool cold : {false, true}) {
    if (cold) {
      f.Upload();
      f.Recycle();
    }
    const ReadResult read = f.partition.reader->Read(Offset(0), {}).value();
    ASSERT_EQ(read.records.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      Record record = read.records[i].ToRecord();
      record.offset = Offset(0);
      EXPECT_EQ(record, records[i]);
    }
  }
}

TEST(PartitionReaderTest, ReadNearTheEndIncludesWhatWasAcknowledged) {
  ReadFixture f({.sync = SyncPolicy::Each()});
  f.AppendNumbered(3);
  EXPECT_EQ(f.partition.log->visible_end(), Offset(0));
  EXPECT_THAT(OffsetsOf(*f.partition.reader->Read(Offset(0), {})), ElementsAre(0, 1, 2));
  f.AppendNumbered(2);
  EXPECT_THAT(OffsetsOf(*f.partition.reader->Read(Offset(4), {})), ElementsAre(4));  // begins above the visible end
  f.AppendNumbered(2);
  f.wal.Poison(Error(ErrorCode::kUnavailable, "EIO"));
  EXPECT_THAT(OffsetsOf(*f.partition.reader->Read(Offset(3), {})), ElementsAre(3, 4));
  EXPECT_EQ(f.partition.reader->Read(Offset(5), {}).error().message(), "EIO");  // not "nothing there"
}

TEST(PartitionReaderTest, SmallReadOfALargeSegmentFetchesItsIndexAndOneBlock) {
  ReadFixture f({.codec = SegmentCodec::kNone});
  for (int i = 0; i < 4000; ++i) f.AppendNumbered(4, 250);
  f.Upload();
  f.Recycle();
  const ReadResult first = f.partition.reader->Read(Offset(8000), {.bytes_max = 1, .records_max = 100}).value();
  EXPECT_THAT(OffsetsOf(first), ElementsAre(8000, 8001, 8002, 8003));
  EXPECT_EQ(first.explanation.requests, 2u);  // index, one block
  ASSERT_EQ(first.explanation.ranges.size(), 2u);
  EXPECT_LE(first.explanation.ranges[1].length, 70'000u);
  EXPECT_NEAR(first.explanation.cost_usd, 2 * 0.0004 / 1000, 1e-12);
  const ReadResult again = f.partition.reader->Read(Offset(8004), {.bytes_max = 1}).value();
  EXPECT_EQ(again.explanation.requests, 0u);
  EXPECT_GT(again.explanation.bytes.block_cache, 0u);
  // A long read joins neighbours: 4 MiB in requests of up to 1 MiB.
  const ReadResult all = f.partition.reader->Read(Offset(0), {.bytes_max = UINT64_MAX}).value();
  EXPECT_EQ(all.records.size(), 16'000u);
  EXPECT_LE(all.explanation.requests, 7u);
  EXPECT_EQ(f.memory.bytes(), 0u);
}

TEST(PartitionReaderTest, OversizedBatchesComeOneByOne) {
  ReadFixture f({.block_bytes_max = 1 << 20, .read_memory_max = 1 << 20});
  for (int i = 0; i < 3; ++i) f.AppendNumbered(1, 5 << 20);
  f.Upload();
  f.Recycle();
  for (int i = 0; i < 3; ++i) {
    const ReadResult read = f.partition.reader->Read(Offset(i), {.bytes_max = 1 << 20}).value();
    EXPECT_THAT(OffsetsOf(read), ElementsAre(i));
    EXPECT_EQ(read.next, Offset(i + 1));
  }
}

TEST(PartitionReaderTest, FlippedByteInASegmentIsNamedAndCanBeSkipped) {
  ReadFixture f({.segment_block_bytes = 1000, .codec = SegmentCodec::kNone});
  for (int i = 0; i < 100; ++i) f.AppendNumbered(2, 100);
  const std::string object = f.Upload();
  f.Recycle();
  for (int i = 0; i < 10; ++i) f.AppendNumbered(2, 100);
  ASSERT_TRUE(f.store.FlipBit(object, 12'345, 3));
  const ReadResult before = f.partition.reader->Read(Offset(0), {.bytes_max = UINT64_MAX}).value();
  ASSERT_GT(before.next, Offset(0));
  ASSERT_LT(before.next, Offset(200));
  const Error error = f.partition.reader->Read(before.next, {}).error();
  EXPECT_EQ(error.code(), ErrorCode::kCorruption);
  ASSERT_NE(error.damage(), nullptr);
  EXPECT_EQ(error.damage()->partition, (TopicPartition{"orders", PartitionId(0)}));
  EXPECT_EQ(error.damage()->begin, before.next);
  EXPECT_GT(error.damage()->end, before.next);
  EXPECT_EQ(error.damage()->place, object);
  EXPECT_LE(error.damage()->byte_begin, 12'345u);
  EXPECT_GT(error.damage()->byte_end, 12'345u);
  EXPECT_LE(error.damage()->byte_end - error.damage()->byte_begin, 1500u);
  // On every call, until skipped.
  EXPECT_FALSE(f.partition.reader->Read(before.next, {}));
  EXPECT_FALSE(f.partition.reader->ReadBatches(before.next, {}));
  const ReadResult after = f.partition.reader->Read(error.damage()->end, {.bytes_max = UINT64_MAX}).value();
  EXPECT_EQ(after.next, Offset(220));
  const ReadResult skipped =
      f.partition.reader->Read(Offset(0), {.bytes_max = UINT64_MAX, .on_damage = OnDamage::kSkip}).value();
  EXPECT_EQ(skipped.next, Offset(220));
  EXPECT_THAT(skipped.skipped, ElementsAre(*error.damage()));
  EXPECT_EQ(skipped.records.size(), before.records.size() + after.records.size());
}

TEST(PartitionReaderTest, DamagedIndexAndMissingObjectAreErrorsAndNotTheEnd) {
  ReadFixture f;
  f.AppendNumbered(10);
  const std::string object = f.Upload();
  f.Recycle();
  f.AppendNumbered(10);
  ASSERT_TRUE(f.store.FlipBit(object, f.store.Head(object)->size_bytes - 10, 0));
  Error error = f.partition.reader->Read(Offset(3), {}).error();
  EXPECT_EQ(error.code(), ErrorCode::kCorruption);
  EXPECT_EQ(error.damage()->place, object);
  EXPECT_EQ(error.damage()->begin, Offset(3));
  EXPECT_EQ(error.damage()->end, Offset(10));
  EXPECT_EQ(f.partition.reader->Read(Offset(3), {.on_damage = OnDamage::kSkip})->next, Offset(20));
  // An object that is not there may be in another store: the error names the place and the offsets, and no reader steps
  // over it by asking to skip damage.
  ASSERT_TRUE(f.store.Delete(object));
  for (const OnDamage on_damage : {OnDamage::kFail, OnDamage::kSkip}) {
    error = f.partition.reader->Read(Offset(3), {.on_damage = on_damage}).error();
    EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
    EXPECT_EQ(error.damage(), nullptr);
    EXPECT_THAT(error.ToString(), testing::HasSubstr("[0, 10)"));
    EXPECT_THAT(error.ToString(), testing::HasSubstr(f.store.Describe()));
  }
  EXPECT_EQ(f.partition.reader->Read(Offset(10), {})->records.size(), 10u);
  EXPECT_EQ(f.memory.bytes(), 0u);
}

TEST(PartitionReaderTest, AGapIsDamageWithItsRangeAndAsksTheStoreForNothing) {
  ReadFixture f;
  for (int i = 0; i < 3; ++i) {
    f.AppendNumbered(10);
    if (i == 1)
      f.UploadGap(f.partition, Offset(20));
    else
      f.Upload();
  }
  f.Recycle();
  PartitionReader& reader = *f.partition.reader;
  EXPECT_EQ(reader.Read(Offset(0), {.bytes_max = UINT64_MAX})->next, Offset(10));
  const std::uint64_t requests = f.counters.requests;
  for (const int begin : {10, 13}) {
    const Error error = reader.Read(Offset(begin), {}).error();
    EXPECT_EQ(error.code(), ErrorCode::kCorruption);
    ASSERT_NE(error.damage(), nullptr);
    EXPECT_EQ(error.damage()->partition, (TopicPartition{"orders", PartitionId(0)}));
    EXPECT_EQ(error.damage()->begin, Offset(begin));
    EXPECT_EQ(error.damage()->end, Offset(20));
  }
  EXPECT_EQ(f.counters.requests, requests);
  const ReadResult skipped = reader.Read(Offset(5), {.bytes_max = UINT64_MAX, .on_damage = OnDamage::kSkip}).value();
  EXPECT_EQ(skipped.next, Offset(30));
  EXPECT_EQ(skipped.records.size(), 15u);
  ASSERT_EQ(skipped.skipped.size(), 1u);
  EXPECT_EQ(skipped.skipped[0].begin, Offset(10));
  EXPECT_EQ(reader.OffsetForTime(1'000'012).value(), Offset(20));
  EXPECT_EQ(reader.OffsetForTime(0).value(), Offset(0));
  f.Trim(f.partition, Offset(12));
  EXPECT_EQ(reader.OffsetForTime(0).value(), Offset(20));
}

TEST(PartitionReaderTest, SegmentsThatMetadataLacksAreARangeToSkip) {
  ReadFixture f;
  f.AppendNumbered(10);
  f.Upload();
  f.Recycle();
  f.AppendNumbered(10);
  const SegmentRow first = **f.partition.segments->Find(Offset(0));
  f.partition.segments->DropBelow(first.end);
  for (const OnDamage on_damage : {OnDamage::kFail, OnDamage::kSkip}) {
    const auto read = f.partition.reader->Read(Offset(3), {.on_damage = on_damage});
    EXPECT_EQ(read.has_value(), on_damage == OnDamage::kSkip);  // from 3 to the segments' end: the range is known
    if (!read) EXPECT_EQ(read.error().damage()->end, Offset(10));
    if (read) EXPECT_EQ(read->skipped.front().end, Offset(10));
  }
}

TEST(PartitionReaderTest, DamagedWalFrameBelowTieredEndIsReadFromItsSegment) {
  ReadFixture f({.tail_bytes_max = 0});
  std::vector<AppendedBatch> appended;
  for (int i = 0; i < 10; ++i) appended.push_back(f.AppendNumbered(5));
  f.Upload(f.partition, Offset(25));
  f.wal.Damage(appended[2].wal_end);  // batch 3, offsets 15 to 19: in a segment
  EXPECT_EQ(f.partition.reader->Read(Offset(0), {.bytes_max = UINT64_MAX})->records.size(), 50u);
  f.wal.Damage(appended[6].wal_end);  // batch 7, offsets 35 to 39: nowhere else
  EXPECT_EQ(f.partition.reader->Read(Offset(0), {.bytes_max = UINT64_MAX})->next, Offset(35));
  EXPECT_EQ(f.partition.reader->Read(Offset(35), {}).error().damage()->end, Offset(40));
}

TEST(PartitionReaderTest, RetentionOvertakingAReaderIsOutOfRange) {
  ReadFixture f;
  for (int i = 0; i < 3; ++i) {
    f.AppendNumbered(10);
    f.Upload();
  }
  f.Recycle();
  ASSERT_TRUE(f.partition.reader->Read(Offset(5), {}));
  f.Trim(f.partition, Offset(15));
  EXPECT_EQ(f.partition.reader->Read(Offset(5), {}).error().bounds(), (OffsetBounds{Offset(15), Offset(30)}));
  EXPECT_EQ(f.partition.reader->Read(Offset(15), {})->records.size(), 15u);
}

TEST(PartitionReaderTest, RecreatedTopicNeverSeesOldBlocks) {
  ReadFixture f;
  f.AppendNumbered(10);
  f.Upload();
  f.Recycle();
  ASSERT_TRUE(f.partition.reader->Read(Offset(0), {}));
  ASSERT_TRUE(Catalog(f.metadata).DeleteTopic(f.partition.row.key.topic, 0));
  ReadablePartition again = f.Create("orders");
  f.Append(again, std::vector<Record>(10, Record{.timestamp_ms = 1, .value = "new"}));
  f.Upload(again, Offset(10));
  f.Recycle(again);
  const ReadResult read = again.reader->Read(Offset(0), {}).value();
  ASSERT_EQ(read.records.size(), 10u);
  for (const RecordView& record : read.records) EXPECT_EQ(record.value, "new");
}

TEST(PartitionReaderTest, OffsetForTimeLooksThroughSegmentsWalAndTail) {
  ReadFixture f({.tail_bytes_max = 2000, .segment_block_bytes = 500});
  for (int i = 0; i < 60; ++i) {
    f.AppendNumbered(5);
    if (i == 20 || i == 40) f.Upload();
  }
  f.Recycle();
  PartitionReader& reader = *f.partition.reader;
  for (const int offset : {0, 1, 57, 104, 105, 106, 199, 204, 205, 250, 299})
    EXPECT_EQ(reader.OffsetForTime(1'000'000 + offset).value(), Offset(offset));
  EXPECT_EQ(reader.OffsetForTime(0).value(), Offset(0));
  EXPECT_EQ(reader.OffsetForTime(1'000'300).value(), Offset(300));
  f.Trim(f.partition, Offset(123));
  EXPECT_EQ(reader.OffsetForTime(0).value(), Offset(123));
  EXPECT_EQ(reader.OffsetForTime(1'000'200).value(), Offset(200));
}

TEST(PartitionReaderTest, OffsetForTimeFindsTheFirstWhenTimesGoBack) {
  ReadFixture f({.segment_block_bytes = 100});
  for (const int time : {100, 300, 200, 50, 400, 250})
    f.Append(std::vector<Record>{{.timestamp_ms = time, .value = std::string(80, 'x')}});
  for (const bool cold : {false, true}) {
    if (cold) {
      f.Upload();
      f.Recycle();
    }
    EXPECT_EQ(f.partition.reader->OffsetForTime(150).value(), Offset(1));
    EXPECT_EQ(f.partition.reader->OffsetForTime(301).value(), Offset(4));
    EXPECT_EQ(f.partition.reader->OffsetForTime(401).value(), Offset(6));
  }
}

TEST(PartitionReaderTest, ATimeThatOnlyForgottenRecordsOfASegmentHaveIsLookedForBehindIt) {
  ReadFixture f({.segment_block_bytes = 100});
  for (const int time : {400, 100, 200})
    f.Append(std::vector<Record>{{.timestamp_ms = time, .value = std::string(80, 'x')}});
  f.Upload();
  f.Recycle();
  f.Trim(f.partition, Offset(1));
  EXPECT_EQ(f.partition.reader->OffsetForTime(300).value(), Offset(3));
  EXPECT_EQ(f.partition.reader->OffsetForTime(150).value(), Offset(2));
}

TEST(PartitionReaderTest, IdlePollsAskNobody) {
  ReadFixture f;
  f.AppendNumbered(10);
  f.Upload();
  f.Recycle();
  ASSERT_TRUE(f.partition.reader->Read(Offset(0), {}));
  const std::uint64_t requests = f.counters.requests, reads = f.wal.reads();
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(f.partition.reader->Read(Offset(10), {})->records.empty());
  EXPECT_EQ(f.counters.requests, requests);
  EXPECT_EQ(f.wal.reads(), reads);
}

}  // namespace
}  // namespace millrace
