// Goal: the record found by time is the first, with its own timestamp, wherever it lies and whatever its batch claims;
// the latest one likewise. Method: an oracle over the records appended, at every border between WAL and segments;
// batches with a forged maximum timestamp (case `maxts`).
#include "read/time_lookup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "read/read_fixture.h"
#include "record/record_batch_layout.h"

namespace millrace {
namespace {

using Found = std::optional<TimedOffset>;

class TimeLookupTest : public ::testing::Test {
 protected:
  TimeLookup Lookup() { return {*f.partition.log, *f.partition.segments, *f.partition.reader, f.context}; }
  Found First(std::int64_t timestamp_ms) {
    auto found = Lookup().FirstAtOrPast(timestamp_ms);
    EXPECT_TRUE(found) << found.error().ToString();
    return found.value_or(Found());
  }
  Found Latest() {
    auto found = Lookup().FindLatest();
    EXPECT_TRUE(found) << found.error().ToString();
    return found.value_or(Found());
  }
  /// One batch with these times; `claimed`: what its header says instead of the truth.
  void Append(const std::vector<std::int64_t>& times, Compression compression = Compression::kNone,
              std::optional<std::int64_t> claimed = {}) {
    std::vector<Record> records;
    for (const std::int64_t timestamp_ms : times) {
      records.push_back({.timestamp_ms = timestamp_ms, .value = "v"});
      times_.push_back(timestamp_ms);
    }
    Buffer batch = *BuildRecordBatch(records, {.compression = compression, .now_ms = 1});
    if (claimed) {
      PutBe(batch.bytes().data() + batch_layout::kMaxTimestamp, *claimed);
      PutBe(batch.bytes().data() + batch_layout::kCrc, Crc32c(batch.bytes().subspan(batch_layout::kAttributes)));
    }
    ASSERT_TRUE(f.partition.log->TryAppend(batch));
  }
  void ExpectAsOracle(Offset log_start = Offset(0)) {
    const auto from = static_cast<std::size_t>(log_start.value());
    std::vector<std::int64_t> asked = {-5, 0};
    for (const std::int64_t timestamp_ms : times_)
      for (const int near : {-1, 0, 1}) asked.push_back(timestamp_ms + near);
    for (const std::int64_t timestamp_ms : asked) {
      Found expected;
      for (std::size_t i = from; i < times_.size() && !expected; ++i)
        if (times_[i] >= timestamp_ms) expected = {Offset(static_cast<std::int64_t>(i)), times_[i]};
      EXPECT_EQ(First(timestamp_ms), expected) << "time " << timestamp_ms;
    }
    Found latest;
    for (std::size_t i = from; i < times_.size(); ++i)
      if (!latest || times_[i] > latest->timestamp_ms) latest = {Offset(static_cast<std::int64_t>(i)), times_[i]};
    EXPECT_EQ(Latest(), latest);
  }

  ReadFixture f;
  std::vector<std::int64_t> times_;
};

TEST_F(TimeLookupTest, EmptyLogHasNoRecordOfAnyTime) {
  EXPECT_EQ(First(0), Found());
  EXPECT_EQ(Latest(), Found());
}

TEST_F(TimeLookupTest, AgreesWithAnOracleAcrossEveryBorder) {
  for (const auto codec : {Compression::kNone, Compression::kZstd}) {
    Append({100, 300, 200}, codec);
    Append({150}, codec);
    Append({900, 250}, codec);
  }
  ExpectAsOracle();
  f.Upload(f.partition, Offset(4));  // segments and WAL overlap
  ExpectAsOracle();
  f.Recycle();
  ExpectAsOracle();
  f.Upload();
  Append({905, 20});
  ExpectAsOracle();
  f.Recycle();
  ExpectAsOracle();
  f.Trim(f.partition, Offset(5));  // the greatest of the first segment may be gone
  ExpectAsOracle(Offset(5));
}

TEST_F(TimeLookupTest, MaximumThatWasClaimedFalselyHidesNothing) {
  Append({100}, Compression::kNone);
  Append({200, 700, 300}, Compression::kLz4, 200);  // too low
  Append({400}, Compression::kNone, 9'000);         // too high
  Append({800});
  ExpectAsOracle();
  f.Upload();  // the segment's builder looks at the records
  ExpectAsOracle();
  f.Recycle();
  ExpectAsOracle();
}

TEST_F(TimeLookupTest, BatchThatInflatesToTooMuchIsTakenByItsHeader) {
  const std::string large(16 << 20, 'v');
  const std::vector<Record> records = {{.timestamp_ms = 5, .value = large}, {.timestamp_ms = 6, .value = large}};
  auto built = BuildRecordBatch(
      records,
      {.compression = Compression::kZstd, .now_ms = 1, .record_bytes_max = 32 << 20, .batch_bytes_max = 64 << 20});
  ASSERT_TRUE(built) << built.error().ToString();
  Buffer& batch = *built;
  ASSERT_LT(batch.size(), std::size_t{1} << 20);
  const auto appended = f.partition.log->TryAppend(batch);
  ASSERT_TRUE(appended) << appended.error().ToString();
  EXPECT_EQ(First(6), (TimedOffset{Offset(0), 6}));  // the record of that time is the next one
  EXPECT_EQ(Latest(), (TimedOffset{Offset(0), 6}));
}

TEST_F(TimeLookupTest, LogAppendTimeIsTheTimeOfEachRecord) {
  Buffer batch = *BuildRecordBatch(std::vector<Record>{{.timestamp_ms = 5}, {.timestamp_ms = 6}}, {});
  PutBe(batch.bytes().data() + batch_layout::kAttributes, batch_layout::kLogAppendTime);
  PutBe(batch.bytes().data() + batch_layout::kMaxTimestamp, std::int64_t{500});
  PutBe(batch.bytes().data() + batch_layout::kCrc, Crc32c(batch.bytes().subspan(batch_layout::kAttributes)));
  ASSERT_TRUE(f.partition.log->TryAppend(batch));
  EXPECT_EQ(First(7), (TimedOffset{Offset(0), 500}));
  EXPECT_EQ(First(501), Found());
  EXPECT_EQ(Latest(), (TimedOffset{Offset(0), 500}));
}

TEST_F(TimeLookupTest, LatestReadsOneBlockOfTheSegmentsAndNotAllOfThem) {
  for (int i = 0; i < 8; ++i) {
    f.AppendNumbered(200, 1000);
    f.Upload();
  }
  f.Recycle();
  const std::uint64_t before = f.counters.requests.load();
  EXPECT_EQ(Latest()->offset, Offset(1599));
  EXPECT_LE(f.counters.requests.load(), before + 4);
}

}  // namespace
}  // namespace millrace
