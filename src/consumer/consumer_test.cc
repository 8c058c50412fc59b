// A consumer over partitions that are lists in memory and fail on request. Method: fakes through the seam.
// Proves R10, R11, R12, R13, R18 (a damaged position store is told), B11, B67, B69.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <latch>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "consumer/consumer_table.h"
#include "consumer/position_store.h"
#include "env/sim/sim_clock.h"
#include "env/thread_pool.h"
#include "meta/catalog.h"
#include "meta/faulty_metadata_store.h"
#include "meta/memory_metadata_store.h"

namespace millrace {
namespace {

class ListSource final : public PartitionSource {
 public:
  ListSource(std::int64_t topic, std::string name, int records, std::int32_t partition = 0)
      : key_{TopicId(topic), PartitionId(partition)},
        name_{std::move(name), PartitionId(partition)},
        end(Offset(records)) {}

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
    if (waiting != nullptr) waiting->count_down();
    return 1;
  }
  void CancelWaiter(std::uint64_t) override {}
  void Abandon(Offset) override { ++abandoned; }
  [[nodiscard]] bool MayWait(Offset) const override { return meeting != nullptr; }

 private:
  PartitionKey key_;
  TopicPartition name_;

 public:
  Offset log_start{0}, end;
  int batch = 10, reads = 0, abandoned = 0;
  std::latch* waiting = nullptr;  // counted down by the consumer that waits
  std::optional<Error> failure;
  std::shared_ptr<std::barrier<>> meeting;  // a read waits for the other one's
};

class ConsumerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Consumer> Open(ConsumerSettings settings = {}) {
    auto consumer = OpenOver({"a", "b"}, settings);
    EXPECT_TRUE(consumer);
    return *std::move(consumer);
  }
  Result<std::unique_ptr<Consumer>> OpenOver(std::vector<std::string> topics, const ConsumerSettings& settings) {
    return table_->Open(settings, {.topics = std::move(topics)});
  }
  static std::string Shape(const Result<std::vector<ConsumedRecord>>& polled) {
    if (!polled) return std::string(ErrorCodeName(polled.error().code()));
    std::string shape;
    for (const ConsumedRecord& record : *polled) shape += record.topic + std::to_string(record.offset.value()) + " ";
    return shape;
  }

  SimClock clock_;
  FaultyMetadataStore metadata_{std::make_shared<MemoryMetadataStore>(), 1};
  TopicId topic_ = Catalog(metadata_).CreateTopic("a", {}, std::string(32, 'a'), 0)->id;
  TopicId other_ = Catalog(metadata_).CreateTopic("b", {}, std::string(32, 'b'), 0)->id;
  MetadataPositionStore positions_{metadata_};
  ListSource a_{topic_.value(), "a", 5}, b_{other_.value(), "b", 3};
  std::map<std::string, std::vector<PartitionSource*>, std::less<>> topics_{{"a", {&a_}}, {"b", {&b_}}};
  std::unique_ptr<ConsumerTable> table_ = std::make_unique<ConsumerTable>(
      [this](std::string_view topic) -> std::optional<std::vector<PartitionSource*>> {
        const auto found = topics_.find(topic);
        if (found == topics_.end()) return {};
        return found->second;
      },
      positions_, clock_);
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
  ASSERT_TRUE(consumer->Close());  // two of one group would share
  EXPECT_EQ(Open({.group = "g"})->Position(a_.name()).value_or(Offset(-1)), Offset(3));
}

TEST_F(ConsumerTest, PositionsThatCannotBeLoadedAreNeverTakenForNone) {
  metadata_.FailCall(1, MetadataFault::kBefore);
  EXPECT_FALSE(OpenOver({"a"}, {.group = "g"}));
}

TEST_F(ConsumerTest, ACommittedPositionOutsideTheLogFollowsTheResetPolicy) {
  for (const std::int64_t committed : {1, 9}) {
    for (const ResetPolicy reset : {ResetPolicy::kEarliest, ResetPolicy::kLatest, ResetPolicy::kFail}) {
      a_.log_start = Offset(2);
      const PartitionPosition position{a_.key(), Offset(committed)};
      ASSERT_TRUE(positions_.Store("g", {&position, 1}));
      const auto consumer = *OpenOver({"a"}, {.group = "g", .reset = reset});
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

/// The simulated clock stands still: no wait ends by itself.
TEST_F(ConsumerTest, OneWakeupEndsOneWaitingPoll) {
  const auto consumer = Open();
  ASSERT_EQ(Shape(consumer->Poll(100)), "a0 a1 a2 a3 a4 b0 b1 b2 ");
  for (int i = 0; i < 3; ++i) {
    std::latch waiting(1);
    b_.waiting = &waiting;
    std::jthread waker([&] {
      waiting.wait();
      b_.waiting = nullptr;
      consumer->Wakeup();
    });
    // Had the last wake-up been left over, this one would not have to wait for its own.
    EXPECT_EQ(Shape(consumer->Poll(1, std::chrono::milliseconds::max())), "");
    waker.join();
    EXPECT_TRUE(waiting.try_wait());
  }
  consumer->Wakeup();
  EXPECT_EQ(Shape(consumer->Poll(1, std::chrono::hours(1))), "");
  std::latch waiting(1);
  b_.waiting = &waiting;
  std::jthread closer([&] {
    waiting.wait();
    EXPECT_TRUE(consumer->Close());
  });
  EXPECT_EQ(Shape(consumer->Poll(1, std::chrono::milliseconds::max())), "kClosed");  // and not the wake-up of before
}

TEST_F(ConsumerTest, AConsumerOutlivesItsTable) {
  const auto read = Open(), grouped = Open({.group = "g"}), closed = Open();
  ASSERT_TRUE(read->Poll(2));
  ASSERT_TRUE(closed->Close());
  const int abandoned = a_.abandoned;
  table_.reset();
  for (const auto* consumer : {read.get(), grouped.get(), closed.get()}) {
    auto& each = *const_cast<Consumer*>(consumer);
    EXPECT_EQ(Shape(each.Poll(1)), "kClosed");
    EXPECT_FALSE(each.Commit());
    EXPECT_FALSE(each.Seek(a_.name(), Offset(1)));
    EXPECT_FALSE(each.Position(a_.name()));
    EXPECT_EQ(each.Assignment().size(), 2U);
    EXPECT_TRUE(each.TakeSkipped().empty());
    EXPECT_TRUE(each.Close());
  }
  EXPECT_EQ(a_.abandoned, abandoned);  // nothing of the engine's was touched
}

TEST_F(ConsumerTest, ATopicThatIsGoneSpoilsNoCommit) {
  const auto consumer = Open({.group = "g"});
  ASSERT_TRUE(consumer->Poll(100));
  ASSERT_TRUE(Catalog(metadata_).DeleteTopic(other_, 0));
  b_.failure = Error(ErrorCode::kNotFound, "topic b was deleted");
  EXPECT_TRUE(consumer->Commit());
  const std::vector<PartitionPosition> kept = {{a_.key(), Offset(5)}};
  EXPECT_EQ(*positions_.Load("g"), kept);
  a_.end = Offset(7);
  EXPECT_EQ(Shape(consumer->Poll(100)), "a5 a6 ");
  const auto calls = metadata_.calls();
  EXPECT_TRUE(consumer->Commit());
  EXPECT_EQ(metadata_.calls(), calls + 2);  // the topic and the commit: what is gone is forgotten
  EXPECT_EQ(positions_.Load("g")->at(0).position, Offset(7));
}

TEST_F(ConsumerTest, ACommitWhoseOutcomeIsUnknownIsLookedUp) {
  const auto consumer = Open({.group = "g"});
  ASSERT_TRUE(consumer->Poll(3));
  metadata_.FailCommit(1, MetadataFault::kAfter);
  EXPECT_TRUE(consumer->Commit());
  EXPECT_EQ(metadata_.fired(MetadataFault::kAfter), 1U);
  EXPECT_EQ(positions_.Load("g")->at(0).position, Offset(3));
}

TEST_F(ConsumerTest, PartitionsAddedLaterAreReadAlsoByWhoWaits) {
  const auto consumer = Open();
  ASSERT_TRUE(consumer->Poll(100));
  ListSource more{topic_.value(), "a", 2, 1};
  std::latch waiting(1);
  b_.waiting = &waiting;
  std::jthread grower([&] {
    waiting.wait();
    topics_["a"].push_back(&more);
    table_->OnTopic("a");
  });
  EXPECT_EQ(Shape(consumer->Poll(100, std::chrono::milliseconds::max())), "a0 a1 ");
  grower.join();
  EXPECT_EQ(consumer->Assignment().size(), 3U);
  b_.waiting = nullptr;
  ASSERT_TRUE(consumer->Close());
}

TEST_F(ConsumerTest, TwoConsumersOfAGroupShareItsPartitions) {
  const auto first = Open({.group = "g"});
  EXPECT_EQ(Shape(first->Poll(4)), "a0 a1 a2 a3 ");
  ListSource more{topic_.value(), "a", 3, 1};
  topics_["a"].push_back(&more);
  table_->OnTopic("a");
  const auto second = Open({.group = "g"});
  EXPECT_TRUE(second->Assignment().size() <= 1);  // the first one has not noticed yet
  ASSERT_TRUE(first->Commit());                   // stores, then hands over
  EXPECT_EQ(Shape(second->Poll(100)), "a0 a1 a2 ");
  EXPECT_EQ(second->Assignment(), std::vector{more.name()});
  EXPECT_EQ(Shape(first->Poll(100)), "b0 b1 b2 a4 ");
  ASSERT_TRUE(second->Close());  // uncommitted: it comes again
  EXPECT_EQ(Shape(first->Poll(100)), "a0 a1 a2 ");
  const auto other = Open({.group = "h"});  // a consumer of another group, or of none, shares nothing
  EXPECT_EQ(other->Assignment().size(), 3U);
  EXPECT_EQ(Open()->Assignment().size(), 3U);
  ASSERT_TRUE(other->Close());
  ASSERT_TRUE(first->Close());
}

TEST_F(ConsumerTest, APartitionHandedOverGoesOnAtTheCommittedPosition) {
  const auto first = OpenOver({"a"}, {.group = "g"}).value();
  EXPECT_EQ(Shape(first->Poll(2)), "a0 a1 ");
  ASSERT_TRUE(first->Commit());
  EXPECT_EQ(Shape(first->Poll(1)), "a2 ");
  const auto second = OpenOver({"a"}, {.group = "g"}).value();
  EXPECT_EQ(Shape(second->Poll(1)), "");
  ASSERT_TRUE(first->Close());
  EXPECT_EQ(Shape(second->Poll(1)), "a2 ");
}

TEST_F(ConsumerTest, APartitionAskedForByNameIsRefusedWhileAnotherOfTheGroupReadsIt) {
  const auto sharing = Open({.group = "g"});
  const auto refused = table_->Open({.group = "g"}, {.partitions = {&a_}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message().find("a/0"), std::string::npos);
  ASSERT_TRUE(sharing->Close());
  const auto own = table_->Open({.group = "g"}, {.partitions = {&a_}});
  ASSERT_TRUE(own);
  EXPECT_EQ(Open({.group = "g"})->Assignment(), std::vector{b_.name()});
  EXPECT_EQ(Shape((*own)->Poll(1)), "a0 ");
}

/// A metadata store that counts commits of positions by what each begins with, the look for their topics, and whose
/// first one stands still until the test lets it go.
class HeldCommits final : public MemoryMetadataStore {
 public:
  Result<std::vector<std::optional<MetadataRow>>> Get(std::span<const MetadataKey> keys) override {
    if (!keys.empty() && std::holds_alternative<TopicKey>(keys[0]) && ++commits == 1) {
      inside.count_down();
      go.wait();
    }
    return MemoryMetadataStore::Get(keys);
  }
  std::atomic<int> commits{0};
  std::latch inside{1}, go{1};
};

/// With one of a partition that is not there among them: it fails, and spoils no other.
TEST(PositionStoreTest, CommitsThatWaitTogetherAreOneTransactionAndFailEachByItself) {
  constexpr int kWaiting = 8;
  for (const bool spoilt : {false, true}) {
    HeldCommits metadata;
    const TopicId topic = Catalog(metadata).CreateTopic("t", {.partitions = kWaiting + 1}, std::string(32, 't'), 0)->id;
    MetadataPositionStore positions(metadata);
    const auto commit = [&](int i) {
      const PartitionKey key{i == 3 && spoilt ? TopicId(99) : topic, PartitionId(i)};
      const PartitionPosition position{key, Offset(i)};
      return positions.Store(fmt::format("g{}", i), {&position, 1});
    };
    {
      std::jthread leader([&] { EXPECT_TRUE(commit(kWaiting)); });
      metadata.inside.wait();
      std::vector<std::jthread> waiting;
      for (int i = 0; i < kWaiting; ++i)
        waiting.emplace_back([&, i] { EXPECT_EQ(commit(i).has_value(), i != 3 || !spoilt) << i; });
      while (positions.waiting() < kWaiting) std::this_thread::yield();
      metadata.go.count_down();
    }
    EXPECT_EQ(metadata.commits, spoilt ? 2 + kWaiting : 2);
    for (int i = 0; i <= kWaiting; ++i)
      EXPECT_EQ(positions.Load(fmt::format("g{}", i))->size(), i == 3 && spoilt ? 0U : 1U) << i;
  }
}

TEST(PositionStoreTest, PositionsPastTheRecoveredEndAreMovedBackForGoodAndTold) {
  MemoryMetadataStore metadata;
  const TopicId topic = Catalog(metadata).CreateTopic("t", {.partitions = 3}, std::string(32, 't'), 0)->id;
  const auto key = [&](std::int32_t partition) { return PartitionKey{topic, PartitionId(partition)}; };
  std::vector<std::string> told;
  MetadataPositionStore positions(metadata,
                                  [&](const TopicPartition&, const std::string& what) { told.push_back(what); });
  const std::vector<PartitionPosition> stored = {{key(0), Offset(9)}, {key(1), Offset(5)}, {key(2), Offset(9)}};
  ASSERT_TRUE(positions.Store("g", stored));
  ASSERT_TRUE(positions.HoldTo([&](const PartitionKey& partition) -> std::optional<std::pair<TopicPartition, Offset>> {
    if (partition == key(2)) return {};  // broken: its end is unknown
    return std::pair(TopicPartition{"t", partition.partition}, Offset(5));
  }));
  const std::vector<PartitionPosition> held = {{key(0), Offset(5)}, {key(1), Offset(5)}, {key(2), Offset(9)}};
  EXPECT_EQ(*positions.Load("g"), held);
  EXPECT_EQ(positions.CorrectedFrom("g", key(0)), Offset(9));
  EXPECT_EQ(positions.CorrectedFrom("g", key(1)), std::nullopt);
  EXPECT_EQ(positions.CorrectedFrom("h", key(0)), std::nullopt);
  EXPECT_EQ(positions.corrected(), 1U);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("group g stood at offset 9 of t/0"), std::string::npos) << told[0];
}

}  // namespace
}  // namespace millrace
