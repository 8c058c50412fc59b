// Goal: a cursor that goes on somewhere else, or not at all, lets go of what the read path fetches ahead for it; and a
// waiting reader is woken by the append itself. Method: a source that counts. Proves R9, B29 and B30 for cursors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "cursor/cursor_table.h"
#include "cursor/entries_fixture.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// One batch of ten entries, again and again.
class EndlessSource final : public PartitionSource {
 public:
  [[nodiscard]] const PartitionKey& key() const override { return key_; }
  [[nodiscard]] const TopicPartition& name() const override { return name_; }
  [[nodiscard]] OffsetBounds bounds() const override {
    MutexLock lock(mutex_);
    return {Offset(0), end_};
  }
  Result<ReadResult> Read(Offset, const ReadLimits&) override { return ReadResult{}; }
  Result<BatchReadResult> ReadBatches(Offset begin, const ReadLimits&) override {
    MutexLock lock(mutex_);
    return TenEntriesAround(begin, end_);
  }
  Result<Offset> OffsetForTime(std::int64_t) override { return Offset(0); }
  void Abandon(Offset next) override { abandoned.push_back(next); }
  std::uint64_t AddWaiter(Offset offset, std::move_only_function<void()> wake) override {
    {
      MutexLock lock(mutex_);
      if (end_ <= offset) {
        wake_ = std::move(wake);
        waits_.NotifyAll();
        return 1;
      }
    }
    wake();
    return 0;
  }
  void CancelWaiter(std::uint64_t) override {}

  /// Lets ten more be seen once a reader waits, as an append does.
  void AppendToWhoWaits() {
    std::move_only_function<void()> wake;
    {
      MutexLock lock(mutex_);
      while (!wake_) waits_.Wait(mutex_);
      end_ += 10;
      wake = std::exchange(wake_, nullptr);
    }
    wake();
  }

  std::vector<Offset> abandoned;

 private:
  const PartitionKey key_{TopicId(1), PartitionId(0)};
  const TopicPartition name_{"t", PartitionId(0)};
  mutable Mutex mutex_;
  CondVar waits_;
  Offset end_ MR_GUARDED_BY(mutex_){100};
  std::move_only_function<void()> wake_ MR_GUARDED_BY(mutex_);
};

class CursorStreamTest : public ::testing::Test {
 protected:
  std::unique_ptr<Cursor> Open() { return table_.Open(source_, "c", ReadConsistency::AtLeastOnce(1000)).value(); }

  SimClock clock_;
  SimFileSystem files_;
  EndlessSource source_;
  CursorTable table_{{.directory = "positions"}, files_, clock_};
};

TEST_F(CursorStreamTest, ASeekAbandonsTheReadItLeaves) {
  const auto cursor = Open();
  ASSERT_TRUE(cursor->ReadNext(true));
  EXPECT_THAT(source_.abandoned, IsEmpty());
  ASSERT_TRUE(cursor->Seek(Offset(55)));
  EXPECT_THAT(source_.abandoned, ElementsAre(Offset(10)));
  ASSERT_TRUE(cursor->ReadNext(true));
  ASSERT_TRUE(cursor->Seek(Offset(60)));  // where the next read would begin anyway
  EXPECT_THAT(source_.abandoned, ElementsAre(Offset(10)));
}

TEST_F(CursorStreamTest, TheLastHandleAbandonsWhenItCloses) {
  auto one = Open(), other = Open();
  ASSERT_TRUE(one->ReadNext(true));
  ASSERT_TRUE(one->Close());
  EXPECT_THAT(source_.abandoned, IsEmpty());
  ASSERT_TRUE(other->Close());
  EXPECT_THAT(source_.abandoned, ElementsAre(Offset(10)));
}

/// The simulated clock stands still: only the append can end the wait.
TEST_F(CursorStreamTest, AWaitingReaderIsWokenByTheAppendItself) {
  const auto cursor = Open();
  ASSERT_TRUE(cursor->Seek(Offset(100)));
  std::jthread writer([&] { source_.AppendToWhoWaits(); });
  const auto waited = cursor->Wait(std::chrono::hours(1));
  ASSERT_TRUE(waited);
  EXPECT_TRUE(*waited);
  const auto record = cursor->ReadNext(true);
  ASSERT_TRUE(record && *record);
  EXPECT_EQ((*record)->offset, Offset(100));
}

}  // namespace
}  // namespace millrace
