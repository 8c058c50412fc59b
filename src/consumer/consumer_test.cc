// A consumer over partitions that are lists in memory and fail on request. Method: fakes through the seam.
// Proves R10, R11, R12, R13, R18 (a damaged position store is told), B11, B67, B69.
#include <gtest/gtest.h>

#include <barrier>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "consumer/consumer_implementation.h"
#include "consumer/position_store.h"
#include "env/sim_clock.h"
#include "env/thread_pool.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

class ListSource final : public PartitionSource {
 public:
  ListSource(std::int64_t topic, std::string name, int records)
      : key_{TopicId(topic), PartitionId(0)}, name_{std::move(name), PartitionId(0)}, end(Offset(records)) {}

  [[nodiscard]] const PartitionKey& key() const override { return key_; }
  [[nodiscard]] const TopicPartition& name() const override { return name_; }
  [[nodiscard]] OffsetBounds bounds() const override { return {log_start, end}; }
  Result<ReadResult> Read(Offset begin, const ReadLimits&) override {
    ++reads;
    if (meeting) meeting->arrive_and_wait();
    if (failure) return *failure;
    if (begin < log_start || begin > end) return Error(ErrorCode::kOutOfRange, "outside").WithBounds(bounds());
    ReadResult result{.next = begin, .high_watermark = end, .log_start = log_start};
    for (int i = 0; i < batch && result.next < end; ++i, result.next += 1)
      result.records.emplace_back(result.next, 0, std::nullopt, std::string_view("v"), std::span<const std::byte>(),
                                  nullptr);
    return result;
  }
  Result<BatchReadResult> ReadBatches(Offset begin, const ReadLimits&) override {
    return BatchReadResult{.next = begin, .high_watermark = end, .log_start = log_start};
  }
  Result<Offset> OffsetForTime(std::int64_t timestamp_ms) override { return Offset(timestamp_ms); }
  std::uint64_t AddWaiter(Offset offset, std::move_only_function<void()> wake) override {
    if (end > offset) wake();
    return 1;
  }
  void CancelWaiter(std::uint64_t) override {}
  [[nodiscard]] bool MayWait(Offset) const override { return meeting != nullptr; }

 private:
  PartitionKey key_;
  TopicPartition name_;

 public:
  Offset log_start{0}, end;
  int batch = 10, reads = 0;
  std::optional<Error> failure;
  std::shared_ptr<std::barrier<>> meeting;  // a read waits for the other one's
};

class ConsumerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Consumer> Open(ConsumerSettings settings = {}) {
    const std::vector<PartitionSource*> sources = {&a_, &b_};
    auto consumer = Consumer::Implementation::Open(settings, sources, positions_, clock_);
    EXPECT_TRUE(consumer);
    return *std::move(consumer);
  }
  static std::string Shape(const Result<std::vector<ConsumedRecord>>& polled) {
    if (!polled) return std::string(ErrorCodeName(polled.error().code()));
    std::string shape;
    for (const ConsumedRecord& record : *polled) shape += record.topic + std::to_string(record.offset.value()) + " ";
    return shape;
  }

  SimClock clock_;
  FaultyMetadataStore metadata_{std::make_shared<MemoryMetadataStore>(), 1};
  TopicId topic_ = metadata_.CreateTopic("a", {}, std::string(32, 'a'), 0)->id;
  TopicId other_ = metadata_.CreateTopic("b", {}, std::string(32, 'b'), 0)->id;
  MetadataPositionStore positions_{metadata_};
  ListSource a_{topic_.value(), "a", 5}, b_{other_.value(), "b", 3};
};

TEST_F(ConsumerTest, PartitionsTakeTurnsAndEmptyMeansAllAreAtTheirEnd) {
  a_.batch = 2;
  const auto consumer = Open();
  EXPECT_EQ(Shape(consumer->Poll(1)), "a0 ");
  EXPECT_EQ(Shape(consumer->Poll(1)), "b0 ");
  EXPECT_EQ(Shape(consumer->Poll(3)), "a1 b1 b2 ");
  EXPECT_EQ(Shape(consumer->Poll(100)), "a2 a3 a4 ");
  EXPECT_EQ(Shape(consumer->Poll(100)), "");
}

TEST_F(ConsumerTest, PartitionsThatWaitForTheObjectStoreWaitTogether) {
  const auto pool = ThreadPool::Start({.threads = 1}).value();
  a_.meeting = b_.meeting = std::make_shared<std::barrier<>>(2);
  const auto consumer = Open({.read_pool = [&] { return pool.get(); }});
  EXPECT_EQ(Shape(consumer->Poll(4)), "a0 a1 a2 a3 ");  // one after the other they would never return
  a_.meeting = b_.meeting = nullptr;
  b_.failure = Error(ErrorCode::kCorruption, "bad");
  EXPECT_EQ(Shape(consumer->Poll(100)), "b0 b1 b2 a4 ");  // what came with the first poll is not read again
  EXPECT_EQ(b_.reads, 2);
}

TEST_F(ConsumerTest, RecordsAreReadOnceHoweverSmallThePolls) {
  b_.end = Offset(0);
  const auto consumer = Open();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Shape(consumer->Poll(1)), "a" + std::to_string(i) + " ");
  EXPECT_EQ(a_.reads, 1);
}

TEST_F(ConsumerTest, AnErrorComesInTurnWithTheOthersDataAndMovesNothing) {
  b_.end = Offset(100);
  a_.failure = Error(ErrorCode::kCorruption, "bad");
  const auto consumer = Open();
  EXPECT_EQ(Shape(consumer->Poll(1)), "b0 ");
  EXPECT_EQ(Shape(consumer->Poll(1)), "kCorruption");
  EXPECT_EQ(Shape(consumer->Poll(1)), "b1 ");
  EXPECT_EQ(Shape(consumer->Poll(1)), "kCorruption");
  EXPECT_EQ(consumer->Position(a_.name()).value_or(Offset(-1)), Offset(0));
  a_.failure.reset();
  std::string healed;
  for (int i = 0; i < 8; ++i)
    if (const std::string shape = Shape(consumer->Poll(1)); shape.starts_with('a')) healed += shape;
  EXPECT_EQ(healed, "a0 a1 a2 a3 ");
}

TEST_F(ConsumerTest, AnErrorAloneIsToldEveryTime) {
  b_.end = Offset(0);
  a_.failure = Error(ErrorCode::kUnavailable, "down");
  const auto consumer = Open();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Shape(consumer->Poll(1)), "kUnavailable");
  a_.failure.reset();
  EXPECT_EQ(Shape(consumer->Poll(1)), "a0 ");
}

TEST_F(ConsumerTest, ACommitThatIsNotKeptIsAnErrorAndTheNextOneStoresIt) {
  const auto consumer = Open({.group = "g"});
  ASSERT_TRUE(consumer->Poll(3));
  metadata_.FailCall(1, MetadataFault::kBefore);
  EXPECT_FALSE(consumer->Commit());
  EXPECT_TRUE(positions_.Load("g")->empty());
  ASSERT_TRUE(consumer->Commit());
  EXPECT_EQ(Open({.group = "g"})->Position(a_.name()).value_or(Offset(-1)), Offset(3));
}

TEST_F(ConsumerTest, PositionsThatCannotBeLoadedAreNeverTakenForNone) {
  metadata_.FailCall(1, MetadataFault::kBefore);
  const std::vector<PartitionSource*> sources = {&a_};
  EXPECT_FALSE(Consumer::Implementation::Open({.group = "g"}, sources, positions_, clock_));
}

TEST_F(ConsumerTest, ACommittedPositionOutsideTheLogFollowsTheResetPolicy) {
  for (const std::int64_t committed : {1, 9}) {
    for (const ResetPolicy reset : {ResetPolicy::kEarliest, ResetPolicy::kLatest, ResetPolicy::kFail}) {
      a_.log_start = Offset(2);
      const PartitionPosition position{a_.key(), Offset(committed)};
      ASSERT_TRUE(positions_.Store("g", {&position, 1}));
      const std::vector<PartitionSource*> sources = {&a_};
      const auto consumer =
          *Consumer::Implementation::Open({.group = "g", .reset = reset}, sources, positions_, clock_);
      const std::string expected = reset == ResetPolicy::kEarliest ? "a2 "
                                   : reset == ResetPolicy::kLatest ? ""
                                                                   : "kOutOfRange";
      EXPECT_EQ(Shape(consumer->Poll(1)), expected);
    }
  }
}

TEST_F(ConsumerTest, PositionsAreSetGotOverwrittenAndRemoved) {
  EXPECT_TRUE(positions_.Load("nobody")->empty());
  const std::vector<PartitionPosition> both = {{a_.key(), Offset(1)}, {b_.key(), Offset(2)}};
  ASSERT_TRUE(positions_.Store("g", both));
  EXPECT_EQ(*positions_.Load("g"), both);
  const PartitionPosition changed{a_.key(), Offset(7)};
  ASSERT_TRUE(positions_.Store("g", {&changed, 1}));
  EXPECT_EQ(positions_.Load("g")->at(0), changed);
  EXPECT_EQ(positions_.Load("g")->at(1), both[1]);
  EXPECT_TRUE(positions_.Load("h")->empty());
  ASSERT_TRUE(positions_.Remove("g"));
  EXPECT_TRUE(positions_.Load("g")->empty());
}

TEST_F(ConsumerTest, GroupNamesAreChecked) {
  EXPECT_TRUE(CheckGroupName("a group, with anything: \xc3\xa4/.."));
  for (const std::string& bad : {std::string(), std::string(250, 'g'), std::string("a\0b", 3), std::string("a\nb")})
    EXPECT_FALSE(CheckGroupName(bad));
}

}  // namespace
}  // namespace millrace
