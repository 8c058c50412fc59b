// Closing while something runs: it waits for no store and no room, refuses what comes, ends what waits, and what is
// destroyed afterwards touches nothing that has gone. Method: stores that never answer, real threads; the clock is
// simulated and stands still, so that nothing ends because its time has passed.
#include <array>
#include <latch>
#include <set>
#include <stop_token>
#include <thread>

#include "base/mutex.h"
#include "engine/engine_fixture.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "millrace/cursor.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

/// A store of a user's: knows no deadline and no stop. While it is silent, requests come in and none goes out.
class SilentStore final : public ObjectStore {
 public:
  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    Stand();
    return memory_.Put(key, pieces, mode);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    Stand();
    return memory_.Get(key, range);
  }
  Result<ObjectDescription> Head(std::string_view key) override {
    Stand();
    return memory_.Head(key);
  }
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    Stand();
    return memory_.List(prefix, continuation, max);
  }
  Result<void> Delete(std::string_view key) override {
    Stand();
    return memory_.Delete(key);
  }
  [[nodiscard]] std::string Describe() const override { return "silent:"; }

  void SetSilent(bool silent) {
    MutexLock lock(mutex_);
    silent_ = silent;
    changed_.NotifyAll();
  }
  void AwaitInside(int requests) {
    MutexLock lock(mutex_);
    while (inside_ < requests) changed_.Wait(mutex_);
  }
  void AwaitEmpty() {
    MutexLock lock(mutex_);
    while (inside_ > 0) changed_.Wait(mutex_);
  }
  int inside() {
    MutexLock lock(mutex_);
    return inside_;
  }

 private:
  void Stand() {
    MutexLock lock(mutex_);
    ++inside_;
    changed_.NotifyAll();
    while (silent_) changed_.Wait(mutex_);
    --inside_;
    changed_.NotifyAll();
  }

  MemoryObjectStore memory_;
  Mutex mutex_;
  CondVar changed_;
  bool silent_ MR_GUARDED_BY(mutex_) = false;
  int inside_ MR_GUARDED_BY(mutex_) = 0;
};

class EngineCloseTest : public EngineFixture {
 protected:
  ~EngineCloseTest() override {
    store_->SetSilent(false);
    store_->AwaitEmpty();
  }
  EngineOptions OverSilentStore() {
    EngineOptions options = OnSimulatedDisk();
    options.clock = clock_;
    options.objects = store_;
    options.wal_bytes_max = 16 << 20;
    options.batch_bytes_max = 1 << 20;
    options.append_wait_max = std::chrono::hours(24);
    options.upload.segment_bytes_max = 1;
    options.upload.segment_age_max = std::chrono::hours(24);
    return options;
  }

  const std::shared_ptr<SimClock> clock_ = std::make_shared<SimClock>();
  const std::shared_ptr<SilentStore> store_ = std::make_shared<SilentStore>();
};

TEST_F(EngineCloseTest, AStoreThatNeverAnswersHoldsUpNothing) {
  store_->SetSilent(true);
  const auto engine = Open(OverSilentStore());
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 3);
  store_->AwaitInside(1);
  std::jthread appender([&] {
    const Record record = Value("x");
    EXPECT_EQ(CodeOf(engine->Append(At("t"), {&record, 1}, {.durability = Durability::kObject})), ErrorCode::kClosed);
  });
  std::jthread uploader([&] { EXPECT_EQ(CodeOf(engine->Upload()), ErrorCode::kClosed); });
  EXPECT_TRUE(engine->Close());
  EXPECT_GE(store_->inside(), 1);  // it is silent still
}

TEST_F(EngineCloseTest, AReadThatWaitsForASilentStoreEndsWithClosed) {
  const auto engine = Open(OverSilentStore());
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 3);
  ASSERT_TRUE(engine->Upload());
  ASSERT_TRUE(engine->Recycle());
  ASSERT_GT(engine->Offsets(At("t"))->hot_start, Offset(0));
  store_->SetSilent(true);
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      const auto read = engine->Read(At("t"), Offset(0));
      EXPECT_EQ(CodeOf(read), ErrorCode::kClosed) << Told(read);
    });
  store_->AwaitInside(1);
  EXPECT_TRUE(engine->Close());
  readers.clear();
  EXPECT_GE(store_->inside(), 1);
}

TEST_F(EngineCloseTest, AppendsThatWaitForRoomEndWithClosed) {
  store_->SetSilent(true);
  const auto engine = Open(OverSilentStore());
  ASSERT_TRUE(engine->CreateTopic("t"));
  const Record record = Value(std::string(900 << 10, 'x'));
  std::optional<ErrorCode> full;
  // Until the budget is used up: a refusal before that may only mean that the staging buffer was not written out yet.
  for (int i = 0; i < 10'000 && full != ErrorCode::kOutOfSpace; ++i)
    full = CodeOf(engine->Append(At("t"), {&record, 1},
                                 {.durability = Durability::kOs, .timeout = std::chrono::milliseconds(0)}));
  ASSERT_EQ(full, ErrorCode::kOutOfSpace);
  std::latch ready(2);
  std::latch told(1);
  std::jthread appender([&] {
    ready.count_down();
    EXPECT_EQ(CodeOf(engine->Append(At("t"), {&record, 1})), ErrorCode::kClosed);
  });
  std::jthread async([&] {
    ready.count_down();
    engine->AppendAsync(At("t"), {&record, 1}, {}, [&](Result<AppendReceipt> receipt) {
      EXPECT_EQ(CodeOf(receipt), ErrorCode::kClosed) << Told(receipt);
      told.count_down();
    });
  });
  ready.wait();
  EXPECT_TRUE(engine->Close());
  told.wait();
}

TEST_F(EngineCloseTest, AppendsThatWaitForTheBudgetOfCallbacksEndWithClosedOrAtTheirDeadline) {
  EngineOptions options = Options();
  options.wal_bytes_max = 256 << 20;
  options.batch_bytes_max = 64 << 20;
  options.record_bytes_max = 64 << 20;
  const auto engine = Open(options);
  ASSERT_TRUE(engine->CreateTopic("t"));
  std::latch first_told(1), go_on(1), all_told(3);
  const Record small = Value("x"), large = Value(std::string(40 << 20, 'x'));
  const auto append = [&](const Record& record, AppendOptions how, std::optional<ErrorCode> expected) {
    engine->AppendAsync(At("t"), {&record, 1}, how, [&, expected](Result<AppendReceipt> receipt) {
      EXPECT_EQ(CodeOf(receipt), expected) << Told(receipt);
      all_told.count_down();
    });
  };
  engine->AppendAsync(At("t"), {&small, 1}, {}, [&](Result<AppendReceipt>) {
    first_told.count_down();
    go_on.wait();
  });
  first_told.wait();  // no other append is told meanwhile, and no budget comes back
  append(large, {}, std::nullopt);
  append(large, {.timeout = std::chrono::milliseconds(0)}, ErrorCode::kTimeout);
  std::latch ready(1);
  std::jthread waiter([&] {
    ready.count_down();
    append(large, {}, ErrorCode::kClosed);
    go_on.count_down();
  });
  ready.wait();
  EXPECT_TRUE(engine->Close());
  all_told.wait();
}

TEST_F(EngineCloseTest, ADoneThatClosesIsRefusedAndTheEngineGoesOn) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  const Record record = Value("0");
  std::latch told(2);
  const auto close = [&](Result<AppendReceipt>) {
    const auto closed = engine->Close();
    EXPECT_EQ(CodeOf(closed), ErrorCode::kInvalidArgument) << Told(closed);
    told.count_down();
  };
  engine->AppendAsync(At("t"), {&record, 1}, {}, close);
  engine->AppendAsync(At("unknown"), {&record, 1}, {}, close);  // called inside the call
  told.wait();
  AppendNumbers(*engine, At("t"), 1, 1);
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 2));
  EXPECT_TRUE(engine->Close());
}

TEST_F(EngineCloseTest, ADoneMayAppendAndWait) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  const Record record = Value("0");
  std::latch told(1);
  engine->AppendAsync(At("t"), {&record, 1}, {}, [&](Result<AppendReceipt>) {
    AppendNumbers(*engine, At("t"), 2, 1, {.durability = Durability::kDisk});
    told.count_down();
  });
  told.wait();
  EXPECT_EQ(ReadAll(*engine, At("t")), Numbers(0, 3));
}

TEST_F(EngineCloseTest, ADoneThatThrowsEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const auto engine = Open(OnSimulatedDisk());
        (void)engine->CreateTopic("t");
        const Record record = Value("x");
        engine->AppendAsync(At("t"), {&record, 1}, {}, [](Result<AppendReceipt>) { throw 1; });
        (void)engine->Close();
      },
      "");
}

TEST_F(EngineCloseTest, HandlesMayOutliveTheEngineOpenOrClosed) {
  auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t", {.partitions = 2}));
  AppendNumbers(*engine, At("t"), 10);
  std::vector<std::unique_ptr<Consumer>> consumers;
  std::vector<std::unique_ptr<Cursor>> cursors;
  for (int i = 0; i < 2; ++i) {
    consumers.push_back(*engine->OpenConsumer({.topics = {"t"}}));
    EXPECT_TRUE(consumers.back()->Poll(3));
    cursors.push_back(*engine->OpenCursor(At("t"), std::to_string(i), ReadConsistency::AtLeastOnce(3)));
    EXPECT_TRUE(cursors.back()->ReadNext(true));
  }
  const auto views = consumers[0]->PollViews(3);
  ASSERT_TRUE(views && !views->empty());
  ASSERT_TRUE(consumers[0]->Close());
  ASSERT_TRUE(cursors[0]->Close());
  engine.reset();
  for (const auto& consumer : consumers) {
    EXPECT_EQ(CodeOf(consumer->Poll(1)), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(consumer->Commit()), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(consumer->Seek(At("t"), Offset(0))), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(consumer->SeekToTime(0)), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(consumer->Position(At("t"))), ErrorCode::kClosed);
    EXPECT_EQ(consumer->Assignment().size(), 2U);  // what it read
    (void)consumer->Explanation();
    EXPECT_TRUE(consumer->TakeSkipped().empty());
    consumer->Wakeup();
  }
  for (const auto& cursor : cursors) {
    EXPECT_EQ(CodeOf(cursor->ReadNext(true)), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(cursor->ReadBatch(1, true)), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(cursor->Wait(std::chrono::milliseconds::max())), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(cursor->UnreadCount()), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(cursor->Seek(Offset(0))), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(cursor->SeekToTime(0)), ErrorCode::kClosed);
    EXPECT_EQ(CodeOf(cursor->SkipCorrupt()), ErrorCode::kClosed);
    (void)cursor->Position();
    (void)cursor->CorrectedFrom();
  }
  EXPECT_TRUE(consumers[1]->Close());
  EXPECT_TRUE(cursors[1]->Close());
  EXPECT_EQ(views->front().value.value_or(""), "3");  // what was handed out is the caller's
}

TEST_F(EngineCloseTest, ReadsOfManyPartitionsMayBeInsideWhileItCloses) {
  std::vector<ReadRequest> requests;
  for (int i = 0; i < 8; ++i) requests.push_back({At("t", i), Offset(0)});
  const EngineOptions options = Options();
  ASSERT_TRUE(Open(options)->CreateTopic("t", {.partitions = 8}));
  for (int round = 0; round < 10; ++round) {
    auto engine = Open(options);
    const Record record = Value("x");
    for (const ReadRequest& request : requests) ASSERT_TRUE(engine->Append(request.partition, {&record, 1}));
    std::latch reading(3);
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i)
      readers.emplace_back([&] {
        for (bool first = true;; first = false) {
          const auto read = engine->ReadMany(requests);
          ASSERT_EQ(read.size(), requests.size());
          if (first) reading.count_down();
          if (read.front()) continue;
          EXPECT_EQ(CodeOf(read.front()), ErrorCode::kClosed);
          return;
        }
      });
    reading.wait();
    EXPECT_TRUE(engine->Close());
    readers.clear();
  }
}

TEST_F(EngineCloseTest, SeveralMayCloseAndEachFindsItClosed) {
  const auto engine = Open(OnSimulatedDisk());
  ASSERT_TRUE(engine->CreateTopic("t"));
  std::vector<std::jthread> closers;
  for (int i = 0; i < 4; ++i)
    closers.emplace_back([&] {
      EXPECT_TRUE(engine->Close());
      EXPECT_EQ(CodeOf(engine->Offsets(At("t"))), ErrorCode::kClosed);
    });
}

TEST_F(EngineCloseTest, EndlessTimeoutsWaitAsLongAsItTakes) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  constexpr auto kEver = std::chrono::milliseconds::max();
  const Record record = Value("x");
  for (const Durability durability : {Durability::kDisk, Durability::kObject}) {
    const auto receipt = engine->Append(At("t"), {&record, 1}, {.durability = durability, .timeout = kEver});
    EXPECT_TRUE(receipt) << Told(receipt);
    std::latch told(1);
    engine->AppendAsync(At("t"), {&record, 1}, {.durability = durability, .timeout = kEver},
                        [&](Result<AppendReceipt> outcome) {
                          EXPECT_TRUE(outcome) << Told(outcome);
                          told.count_down();
                        });
    told.wait();
  }
  ASSERT_TRUE(engine->Upload());
  ASSERT_TRUE(engine->Recycle());
  const auto read = engine->Read(At("t"), Offset(0), {.timeout = kEver});
  ASSERT_TRUE(read) << Told(read);
  EXPECT_EQ(read->records.size(), 4U);
}

}  // namespace
}  // namespace millrace
