// Goal: the bytes of a fetch become the records asked for, and nothing else: batches cut short, started early, emptied
// by compaction or damaged are told apart. Method: built batches, put together, cut at every byte, with each byte
// flipped.
#include "client/fetched_records.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/coding.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_layout.h"
#include "record/record_batch_view.h"

namespace millrace::client {
namespace {

const TopicPartition kPartition{"t", PartitionId(0)};

std::vector<std::byte> Batch(std::int64_t base, const std::vector<std::string>& values,
                             Compression compression = Compression::kNone) {
  std::vector<Record> records;
  for (const std::string& value : values) records.push_back({.value = value});
  Buffer built = *BuildRecordBatch(records, {.compression = compression, .now_ms = 1'000});
  StampBatch(built.bytes(), Offset(base), LeaderEpoch(0));
  return {built.bytes().begin(), built.bytes().end()};
}

Fetched Of(const std::vector<std::vector<std::byte>>& batches) {
  std::vector<std::byte> bytes;
  for (const auto& batch : batches) bytes.insert(bytes.end(), batch.begin(), batch.end());
  return {SharedBytes::Copy(bytes), Offset(100), Offset(0)};
}

std::vector<std::string> Values(const Result<ReadResult>& read) {
  std::vector<std::string> values;
  EXPECT_TRUE(read) << read.error().ToString();
  if (read)
    for (const RecordView& record : read->records) values.emplace_back(*record.value);
  return values;
}

TEST(FetchedRecordsTest, RecordsFromTheOffsetOnInEveryCodec) {
  for (const Compression codec :
       {Compression::kNone, Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd}) {
    const Fetched fetched = Of({Batch(5, {"a", "b", "c"}, codec), Batch(8, {"d"}, codec)});
    const auto read = DecodeFetched(fetched, kPartition, Offset(6), {});
    EXPECT_EQ(Values(read), (std::vector<std::string>{"b", "c", "d"}));
    EXPECT_EQ(read->next, Offset(9));
    const auto some = DecodeFetched(fetched, kPartition, Offset(6), {.records_max = 1});
    EXPECT_EQ(Values(some), (std::vector<std::string>{"b"}));
    EXPECT_EQ(some->next, Offset(7));
  }
}

TEST(FetchedRecordsTest, ACutBatchIsLeftForTheNextFetch) {
  const auto first = Batch(0, {"a", "b"}), second = Batch(2, {"c"});
  const Fetched whole = Of({first, second});
  for (std::size_t size = first.size(); size < whole.batches.size(); ++size) {
    const auto read = DecodeFetched({whole.batches.Slice(0, size), Offset(3), Offset(0)}, kPartition, Offset(0), {});
    EXPECT_EQ(Values(read), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(read->next, Offset(2));
  }
  for (std::size_t size = 1; size < first.size(); ++size)
    EXPECT_FALSE(DecodeFetched({whole.batches.Slice(0, size), Offset(3), Offset(0)}, kPartition, Offset(0), {}));
  const auto none = DecodeFetched({{}, Offset(0), Offset(0)}, kPartition, Offset(0), {});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->next, Offset(0));
}

TEST(FetchedRecordsTest, AnEmptiedBatchIsSteppedOver) {
  auto empty = Batch(0, {"a", "b"});
  empty.resize(kBatchHeaderBytes);
  PutBe<std::int32_t>(empty.data() + batch_layout::kLength, kBatchHeaderBytes - kBatchLengthPrefixBytes);
  PutBe<std::int32_t>(empty.data() + batch_layout::kRecordCount, 0);
  const auto read = DecodeFetched(Of({empty, Batch(2, {"c"})}), kPartition, Offset(0), {});
  EXPECT_EQ(Values(read), (std::vector<std::string>{"c"}));
  EXPECT_EQ(read->next, Offset(3));
}

TEST(FetchedRecordsTest, DamageIsToldBehindWhatIsWholeAndCanBeSteppedOver) {
  auto damaged = Batch(1, {"b"});
  damaged.back() ^= std::byte{1};
  const Fetched fetched = Of({Batch(0, {"a"}), damaged, Batch(2, {"c"})});
  const auto before = DecodeFetched(fetched, kPartition, Offset(0), {});
  EXPECT_EQ(Values(before), (std::vector<std::string>{"a"}));
  EXPECT_EQ(before->next, Offset(1));
  const auto at = DecodeFetched(fetched, kPartition, Offset(1), {});
  ASSERT_FALSE(at);
  EXPECT_EQ(at.error().code(), ErrorCode::kCorruption);
  ASSERT_NE(at.error().damage(), nullptr);
  EXPECT_EQ(at.error().damage()->end, Offset(2));
  const auto past = DecodeFetched(fetched, kPartition, Offset(0), {.on_damage = OnDamage::kSkip});
  EXPECT_EQ(Values(past), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(past->skipped.size(), 1U);
}

TEST(FetchedRecordsTest, NoFlippedByteGivesOtherRecords) {
  const auto batch = Batch(0, {"abc", "def"}, Compression::kZstd);
  for (std::size_t at = 0; at < batch.size(); ++at) {
    auto flipped = batch;
    flipped[at] ^= std::byte{0x10};
    const auto read = DecodeFetched(Of({flipped}), kPartition, Offset(0), {});
    // Base offset and leader epoch lie outside the CRC.
    if (!read) continue;
    EXPECT_LT(at, std::size_t{batch_layout::kMagic}) << at;
    EXPECT_GT(read->next, Offset(0));
  }
}

}  // namespace
}  // namespace millrace::client
