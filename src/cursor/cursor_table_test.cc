// Goal: handles that close, are opened anew, wait, go back and outlive their table while calls are inside them. Method:
// a source that stops where the test wants it; the clock stands still, so that no wait ends by itself. Proves R16, R21,
// B29, B34, B35, B48.
#include "cursor/cursor_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "cursor/entries_fixture.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

constexpr std::int64_t kEntries = 20;

/// Twenty entries, in batches of ten.
class HookedSource final : public PartitionSource {
 public:
  [[nodiscard]] const PartitionKey& key() const override { return key_; }
  [[nodiscard]] const TopicPartition& name() const override { return name_; }
  [[nodiscard]] OffsetBounds bounds() const override {
    const OffsetBounds bounds{log_start.load(), Offset(kEntries)};
    if (const auto hook = std::exchange(on_bounds, nullptr)) hook();
    return bounds;
  }
  Result<ReadResult> Read(Offset, const ReadLimits&) override { return ReadResult{}; }
  Result<BatchReadResult> ReadBatches(Offset begin, const ReadLimits&) override {
    if (++reads == 1 && on_first_read) on_first_read();
    if (failure) return *failure;
    if (fails_from != 0 && reads >= fails_from) return Error(ErrorCode::kUnavailable, "the store is away");
    return TenEntriesAround(begin, Offset(kEntries));
  }
  Result<Offset> OffsetForTime(std::int64_t) override { return Offset(0); }
  std::uint64_t AddWaiter(Offset, std::move_only_function<void()> wake) override {
    if (failure) {
      wake();  // as a log does that has failed
      return 0;
    }
    if (waiting != nullptr) waiting->count_down();
    return 1;
  }
  void CancelWaiter(std::uint64_t) override {}

  std::function<void()> on_first_read;
  mutable std::function<void()> on_bounds;  // once
  std::optional<Error> failure;
  std::latch* waiting = nullptr;
  std::atomic<int> reads{0};
  int fails_from = 0;  // every read from this one on; 0: none
  std::atomic<Offset> log_start{Offset(0)};

 private:
  const PartitionKey key_{TopicId(1), PartitionId(0)};
  const TopicPartition name_{"t", PartitionId(0)};
};

class CursorTableTest : public ::testing::TestWithParam<ReadConsistency> {
 protected:
  std::unique_ptr<Cursor> Open(std::string_view name = "c") { return table_->Open(source_, name, GetParam()).value(); }
  static std::int64_t Next(Cursor& cursor) {
    const auto record = cursor.ReadNext(true);
    return record && *record ? (*record)->offset.value() : -1;
  }
  static bool RefusesCalls(const Cursor& cursor) {
    const auto unread = cursor.UnreadCount();
    return !unread && unread.error().code() == ErrorCode::kClosed;
  }
  void Reopen(OnCorrected on_corrected = {}) {
    table_.reset();
    table_ = std::make_unique<CursorTable>(Options(), files_, clock_, std::move(on_corrected));
  }
  static PositionLogOptions Options() { return {.directory = "positions"}; }

  SimClock clock_;
  SimFileSystem files_;
  HookedSource source_;
  std::unique_ptr<CursorTable> table_ = std::make_unique<CursorTable>(Options(), files_, clock_);
};

INSTANTIATE_TEST_SUITE_P(Modes, CursorTableTest,
                         testing::Values(ReadConsistency::StrictlyAtOnce(), ReadConsistency::AtLeastOnce(1'000)),
                         [](const auto& info) { return info.param.strict ? "Strict" : "AtLeastOnce"; });

TEST_P(CursorTableTest, ANewHandleGoesOnBehindTheCallsThatWereInsideTheOldOne) {
  const auto old = Open();
  std::latch inside(1);
  source_.on_first_read = [&] {
    inside.count_down();
    while (!RefusesCalls(*old)) std::this_thread::yield();
    // Close stands now, or a second cursor of this name begins to read beside this one.
    for (int i = 0; i < 500 && source_.reads < 2; ++i) std::this_thread::yield();
  };
  std::int64_t taken = -1;
  std::jthread reader([&] { taken = Next(*old); });
  inside.wait();
  ASSERT_TRUE(old->Close());
  const auto fresh = Open();
  std::vector<std::int64_t> rest;
  for (std::int64_t next = Next(*fresh); next >= 0; next = Next(*fresh)) rest.push_back(next);
  reader.join();
  EXPECT_EQ(taken, 0);
  ASSERT_EQ(rest.size(), static_cast<std::size_t>(kEntries - 1));
  EXPECT_EQ(rest.front(), 1);
}

TEST_P(CursorTableTest, ABatchEndsBeforeAnErrorWhichTheNextCallTells) {
  const auto cursor = Open();
  source_.on_first_read = [&] { source_.fails_from = 2; };
  const auto first = cursor->ReadBatch(1 << 20, true);
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->size(), 10U);
  const auto second = cursor->ReadBatch(1 << 20, true);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(cursor->Position(), Offset(10));
}

TEST_P(CursorTableTest, ARetentionThatOvertakesIsToldOnceAndTheCursorGoesOnWhereTheLogStarts) {
  const auto cursor = Open();
  source_.failure = Error(ErrorCode::kOutOfRange, "gone").WithBounds({Offset(10), Offset(kEntries)});
  const auto told = cursor->ReadNext(true);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code(), ErrorCode::kOutOfRange);
  EXPECT_EQ(cursor->Position(), Offset(10));
  source_.failure.reset();
  EXPECT_EQ(Next(*cursor), 10);
}

TEST_P(CursorTableTest, CursorsOfATopicThatIsForgottenAreGoneForGoodAndTheirHandlesSayWhy) {
  const auto cursor = Open();
  table_->ForgetTopic(TopicId(1), Error(ErrorCode::kNotFound, "topic t was deleted"));
  EXPECT_EQ(cursor->ReadNext(true).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(table_->List(source_)->size(), 0U);
  Reopen();
  EXPECT_EQ(table_->List(source_)->size(), 0U);
}

TEST_P(CursorTableTest, CursorsOfPartitionsThatAreGoneGoAndTheOthersStay) {
  ASSERT_TRUE(Open()->Close());
  Reopen();
  table_->ForgetUnless([](const PartitionKey& key) { return key == PartitionKey{TopicId(1), PartitionId(0)}; });
  EXPECT_EQ(table_->List(source_)->size(), 1U);
  table_->ForgetUnless([](const PartitionKey&) { return false; });
  EXPECT_EQ(table_->List(source_)->size(), 0U);
  Reopen();
  EXPECT_EQ(table_->List(source_)->size(), 0U);
}

TEST_P(CursorTableTest, APositionThatRetentionHasOvertakenIsMovedAndTold) {
  ASSERT_TRUE(Open()->Close());
  source_.log_start = Offset(5);
  std::vector<std::string> told;
  Reopen(
      [&](const TopicPartition& partition, const std::string& what) { told.push_back(partition.topic + ": " + what); });
  const auto cursor = Open();
  EXPECT_EQ(cursor->Position(), Offset(5));
  EXPECT_EQ(cursor->CorrectedFrom(), std::optional(Offset(0)));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("offset 0, outside the log, and goes on at 5"), std::string::npos) << told[0];
  EXPECT_EQ(table_->corrected(), 1U);
  EXPECT_FALSE(Open("other")->CorrectedFrom());
}

TEST_P(CursorTableTest, CloseEndsAWaitOfItsHandleAndOfNoOther) {
  const auto cursor = Open(), other = Open();
  ASSERT_TRUE(cursor->Seek(Offset(kEntries)));
  std::latch waiting(1);
  source_.waiting = &waiting;
  std::jthread closer([&] {
    waiting.wait();
    ASSERT_TRUE(cursor->Close());
  });
  const auto waited = cursor->Wait(std::chrono::milliseconds::max());
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code(), ErrorCode::kClosed);
  closer.join();
  source_.waiting = nullptr;
  EXPECT_FALSE(other->Wait(std::chrono::milliseconds(0)).value_or(true));
}

TEST_P(CursorTableTest, AWaitIsWokenByASeekToWhatIsThere) {
  const auto cursor = Open(), other = Open();
  ASSERT_TRUE(cursor->Seek(Offset(kEntries)));
  std::latch waiting(1);
  source_.waiting = &waiting;
  std::jthread seeker([&] {
    waiting.wait();
    ASSERT_TRUE(other->Seek(Offset(3)));
  });
  EXPECT_TRUE(cursor->Wait(std::chrono::milliseconds::max()).value_or(false));
}

TEST_P(CursorTableTest, AWaitEndsWithTheErrorOfALogThatFails) {
  const auto cursor = Open();
  ASSERT_TRUE(cursor->Seek(Offset(kEntries)));
  source_.failure = Error(ErrorCode::kUnavailable, "the disk is gone");
  const auto waited = cursor->Wait(std::chrono::hours(1));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().message(), "the disk is gone");
}

TEST_P(CursorTableTest, HandlesOutliveTheirTable) {
  const auto read = Open(), closed = Open(), untouched = Open("other");
  EXPECT_EQ(Next(*read), 0);
  ASSERT_TRUE(closed->Close());
  table_.reset();
  for (const auto& cursor : {read.get(), closed.get(), untouched.get()}) {
    EXPECT_TRUE(RefusesCalls(*cursor));
    EXPECT_TRUE(cursor->Close());
  }
  EXPECT_EQ(read->Position(), Offset(1));
  Reopen();
  EXPECT_EQ(Next(*Open()), 1);
}

TEST_P(CursorTableTest, TheTableClosesWithoutWaitingForAReadAndWhatThatWouldHaveTakenComesLater) {
  const auto cursor = Open();
  EXPECT_EQ(Next(*cursor), 0);
  ASSERT_TRUE(cursor->Seek(Offset(1)));
  std::latch inside(1), go(1);
  source_.reads = 0;
  source_.on_first_read = [&] {
    inside.count_down();
    go.wait();
  };
  std::int64_t taken = 0;
  std::jthread reader([&] { taken = Next(*cursor); });
  inside.wait();
  ASSERT_TRUE(table_->Close());
  go.count_down();
  reader.join();
  EXPECT_EQ(taken, -1);
  Reopen();
  EXPECT_EQ(Next(*Open()), 1);
}

/// What Reclaim would forget at this moment; none: nothing.
std::optional<Offset> Reclaimed(CursorTable& table, const PartitionSource& source) {
  std::optional<Offset> until;
  const auto forgot = table.Reclaim(source.key(), {}, [&](Offset passed) -> Result<bool> {
    until = passed;
    return true;
  });
  EXPECT_TRUE(forgot);
  return until;
}

TEST_P(CursorTableTest, WhatASeekHasFoundThereIsNotReclaimed) {
  const auto cursor = Open();
  ASSERT_TRUE(cursor->Seek(Offset(15)));
  EXPECT_EQ(Reclaimed(*table_, source_), Offset(15));
  std::optional<Offset> meanwhile;
  source_.on_bounds = [&] { meanwhile = Reclaimed(*table_, source_); };
  ASSERT_TRUE(cursor->Seek(Offset(4)));
  EXPECT_EQ(meanwhile, Offset(4));
  source_.on_bounds = [&] { meanwhile = Reclaimed(*table_, source_); };
  ASSERT_TRUE(cursor->SeekToTime(0));
  EXPECT_EQ(meanwhile, Offset(0));
  ASSERT_TRUE(cursor->Seek(Offset(15)));
  EXPECT_EQ(Reclaimed(*table_, source_), Offset(15));
}

TEST_P(CursorTableTest, WhatANewCursorStandsBeforeIsNotReclaimed) {
  const auto cursor = Open();
  ASSERT_TRUE(cursor->Seek(Offset(15)));
  std::optional<Offset> meanwhile;
  source_.on_bounds = [&] { meanwhile = Reclaimed(*table_, source_); };
  const auto fresh = Open("new");
  EXPECT_EQ(meanwhile, Offset(0));
  EXPECT_EQ(fresh->Position(), Offset(0));
  EXPECT_EQ(Reclaimed(*table_, source_), Offset(0));
}

TEST_P(CursorTableTest, ASeekBesideReclaimingIsJudgedByWhatIsLeft) {
  const auto cursor = Open();
  ASSERT_TRUE(cursor->Seek(Offset(15)));
  std::optional<ErrorCode> sought;
  std::jthread seeker;
  ASSERT_TRUE(table_->Reclaim(source_.key(), {}, [&](Offset until) -> Result<bool> {
    std::latch begun(1);
    seeker = std::jthread([&] {
      begun.count_down();
      if (const auto seek = cursor->Seek(Offset(4)); !seek) sought = seek.error().code();
    });
    begun.wait();
    for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
    source_.log_start = until;
    return true;
  }));
  seeker.join();
  EXPECT_EQ(sought, ErrorCode::kOutOfRange);
  EXPECT_EQ(cursor->Position(), Offset(15));
}

}  // namespace
}  // namespace millrace
