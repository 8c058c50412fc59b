// Cursors over a real engine: what they hand out, where they stand, what survives. Method: real files.
// Proves R15, R16, R17, R18, R21, R24, W4, W5, W10, W17, B1, B3, B4, B12, B13, B14, B16, B21, B29, B34, B35, B36, B37,
// B38, B39, B41.
#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "base/mutex.h"
#include "engine/cursor_fixture.h"

namespace millrace {
namespace {

class EngineCursorTest : public CursorFixture {
 protected:
  std::unique_ptr<Engine> OpenWith(std::string_view topic, int entries) {
    auto engine = Open();
    EXPECT_TRUE(engine->CreateTopic(topic));
    AppendNumbers(*engine, At(std::string(topic)), entries);
    return engine;
  }
};

TEST_F(EngineCursorTest, EntriesComeOnceAndInOrderThenNothing) {
  const auto engine = OpenWith("t", 20);
  for (const auto mode : {kStrict, ReadConsistency::AtLeastOnce(3)}) {
    const auto cursor = OpenCursor(*engine, At("t"), mode.strict ? "strict" : "often", mode);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(Next(*cursor), std::to_string(i));
    EXPECT_EQ(Next(*cursor), "(end)");
    EXPECT_EQ(cursor->Position(), Offset(20));
    AppendNumbers(*engine, At("t"), 0);
  }
}

TEST_F(EngineCursorTest, APeekMovesNothing) {
  const auto engine = OpenWith("t", 5);
  for (const auto mode : {kStrict, ReadConsistency::AtLeastOnce(2)}) {
    const auto cursor = OpenCursor(*engine, At("t"), mode.strict ? "strict" : "often", mode);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(Next(*cursor, false), "0");
    EXPECT_EQ(Batch(*cursor, 1 << 20, false), Numbers(0, 5));
    EXPECT_EQ(Batch(*cursor, 1 << 20, false), Numbers(0, 5));
    EXPECT_EQ(cursor->Position(), Offset(0));
    EXPECT_EQ(cursor->UnreadCount().value_or(99), 5U);
    EXPECT_EQ(Next(*cursor), "0");
    EXPECT_EQ(Next(*cursor), "1");
    EXPECT_EQ(Batch(*cursor, 1 << 20), Numbers(2, 5));
    EXPECT_EQ(Batch(*cursor, 1 << 20), Numbers(0, 0));
  }
}

TEST_F(EngineCursorTest, TenAppendedFiveReadThenReopenedTheNextFiveFollow) {
  {
    const auto engine = OpenWith("t", 10);
    const auto strict = OpenCursor(*engine, At("t"), "strict", kStrict);
    const auto often = OpenCursor(*engine, At("t"), "often", ReadConsistency::AtLeastOnce(1'000));
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(Next(*strict), std::to_string(i));
      EXPECT_EQ(Next(*often), std::to_string(i));
    }
    ASSERT_TRUE(often->Close());
    EXPECT_EQ(Next(*often), "kClosed");
  }
  const auto engine = Open();
  for (const auto mode : {kStrict, ReadConsistency::AtLeastOnce(1'000)}) {
    const auto cursor = OpenCursor(*engine, At("t"), mode.strict ? "strict" : "often", mode);
    EXPECT_EQ(cursor->CorrectedFrom(), std::nullopt);
    for (int i = 5; i < 10; ++i) EXPECT_EQ(Next(*cursor), std::to_string(i));
    EXPECT_EQ(Next(*cursor), "(end)");
  }
}

TEST_F(EngineCursorTest, TheEngineClosesPersistsAndAnswersForHandlesLeftOpen) {
  auto engine = OpenWith("t", 10);
  auto cursor = OpenCursor(*engine, At("t"), "c", ReadConsistency::AtLeastOnce(1'000));
  for (int i = 0; i < 7; ++i) EXPECT_EQ(Next(*cursor), std::to_string(i));
  ASSERT_TRUE(engine->Close());
  EXPECT_EQ(Next(*cursor), "kClosed");
  EXPECT_EQ(CodeOf(cursor->Wait(std::chrono::seconds(10))), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(cursor->UnreadCount()), ErrorCode::kClosed);
  EXPECT_EQ(CodeOf(cursor->Seek(Offset(1))), ErrorCode::kClosed);
  cursor.reset();
  engine = Open();
  EXPECT_EQ(Next(*OpenCursor(*engine, At("t"), "c", kStrict)), "7");
}

TEST_F(EngineCursorTest, UnreadCountsAppendsBatchesReadsAndNotPeeks) {
  for (int round = 0; round < 2; ++round) {
    const auto engine = Open();
    if (round == 0) {
      for (const char* topic : {"t", "u"}) {
        ASSERT_TRUE(engine->CreateTopic(topic));
        AppendNumbers(*engine, At(topic), 10);
        std::vector<Record> five(5, Value("x"));
        ASSERT_TRUE(engine->Append(At(topic), five));
      }
    }
    for (const char* topic : {"t", "u"}) {
      const auto cursor = OpenCursor(*engine, At(topic), "c", kStrict);
      const auto idle = OpenCursor(*engine, At(topic), "idle", kStrict);
      if (round == 0) {
        for (int i = 0; i < 3; ++i) Next(*cursor);
        for (int i = 0; i < 4; ++i) Next(*cursor, false);
      }
      EXPECT_EQ(cursor->UnreadCount().value_or(99), 12U);
      EXPECT_EQ(idle->UnreadCount().value_or(99), 15U);
    }
    const auto listed = engine->ListCursors("t");
    ASSERT_TRUE(listed && listed->size() == 2) << Told(listed);
    EXPECT_EQ((*listed)[0].name, "c");
    EXPECT_EQ((*listed)[0].position, Offset(3));
    EXPECT_EQ((*listed)[0].unread, 12U);
    EXPECT_EQ((*listed)[1].unread, 15U);
  }
}

TEST_F(EngineCursorTest, BatchBudgetsCountPayloadBytesAndGiveAtLeastOne) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  for (int i = 0; i < 12; ++i) {
    const Record record = Value(std::string(100, static_cast<char>('a' + i)));
    ASSERT_TRUE(engine->Append(At("t"), {&record, 1}));
  }
  const auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
  for (const auto& [budget, count] :
       std::vector<std::pair<std::uint64_t, std::size_t>>{{300, 3}, {500, 5}, {1, 1}, {350, 3}})
    EXPECT_EQ(Batch(*cursor, budget).size(), count) << budget;
  EXPECT_TRUE(Batch(*cursor, 300).empty());
}

TEST_F(EngineCursorTest, BatchesHaveAtMostTwoThousandEntries) {
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  for (int i = 0; i < 45; ++i) {
    const std::vector<Record> records(100, Value(std::to_string(i)));
    ASSERT_TRUE(engine->Append(At("t"), records));
  }
  const auto cursor = OpenCursor(*engine, At("t"), "c", ReadConsistency::AtLeastOnce(1));
  EXPECT_EQ(Batch(*cursor, UINT64_MAX, false).size(), 2'000U);
  EXPECT_EQ(Batch(*cursor, UINT64_MAX).size(), 2'000U);
  EXPECT_EQ(Batch(*cursor, UINT64_MAX).size(), 2'000U);
  EXPECT_EQ(Batch(*cursor, UINT64_MAX).size(), 500U);
  EXPECT_TRUE(Batch(*cursor, UINT64_MAX).empty());
}

TEST_F(EngineCursorTest, TinyBudgetsAndMixedReadsDrainEverythingOnceAcrossTiers) {
  EngineOptions options = Options();
  options.wal_bytes_max = 16 << 20;
  const auto engine = Open(options);
  ASSERT_TRUE(engine->CreateTopic("t"));
  std::vector<std::string> expected;
  const auto append = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const std::size_t n = expected.size();
      const std::string value = n % 7 == 0 ? "" : std::to_string(n) + std::string(n % 400, 'x');
      std::vector<Record> batch(1 + n % 3);
      for (Record& record : batch) record.value = value;
      batch[0].headers = {{"h", std::to_string(n)}};
      batch[0].key = "k";
      ASSERT_TRUE(engine->Append(At("t"), batch, {.compression = n % 5 == 0 ? Compression::kLz4 : Compression::kNone}));
      for (const Record& record : batch) expected.push_back(*record.value);
    }
  };
  append(300);
  ASSERT_TRUE(engine->Upload());
  ASSERT_TRUE(engine->Recycle());  // segments only
  append(300);
  ASSERT_TRUE(engine->Upload());  // segments and WAL
  append(300);                    // WAL and tail
  for (const auto mode : {kStrict, ReadConsistency::AtLeastOnce(4)}) {
    const auto cursor = OpenCursor(*engine, At("t"), mode.strict ? "strict" : "often", mode);
    std::vector<std::string> found;
    for (std::uint64_t turn = 0; found.size() < expected.size(); ++turn) {
      if (turn % 3 == 0) {
        found.push_back(Next(*cursor));
      } else {
        const auto peeked = Batch(*cursor, turn % 900, false);
        const auto batch = Batch(*cursor, turn % 900);
        EXPECT_EQ(peeked, batch);
        ASSERT_FALSE(batch.empty());
        found.insert(found.end(), batch.begin(), batch.end());
      }
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(Next(*cursor), "(end)");
  }
}

TEST_F(EngineCursorTest, NamesShareOnePositionAndOneMode) {
  const auto engine = OpenWith("t", 10);
  const auto a = OpenCursor(*engine, At("t"), "c", kStrict);
  const auto b = OpenCursor(*engine, At("t"), "c", kStrict);
  EXPECT_EQ(Next(*a), "0");
  EXPECT_EQ(Next(*b), "1");
  EXPECT_EQ(Batch(*a, 2), Numbers(2, 4));
  EXPECT_EQ(Next(*b), "4");
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("t"), "c", ReadConsistency::AtLeastOnce(2))), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(a->Close());
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("t"), "c", ReadConsistency::AtLeastOnce(2))), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(b->Close());
  EXPECT_EQ(Next(*OpenCursor(*engine, At("t"), "c", ReadConsistency::AtLeastOnce(0))), "5");
}

TEST_F(EngineCursorTest, UnknownTopicsAndBadNamesAreRefusedAndMakeNothing) {
  const auto engine = OpenWith("t", 1);
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("u"), "c", kStrict)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("t", 1), "c", kStrict)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("t"), "", kStrict)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("t"), std::string(250, 'c'), kStrict)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->OpenCursor(At("t"), "a\nb", kStrict)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(engine->ListCursors("u")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(engine->DeleteCursor(At("t"), "c")), ErrorCode::kNotFound);
  EXPECT_TRUE(engine->ListCursors("t").value_or(std::vector<CursorDescription>(1)).empty());
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "data" / "positions"));
  EXPECT_EQ(Next(*OpenCursor(*engine, At("t"), std::string(249, 'c'), kStrict)), "0");
}

TEST_F(EngineCursorTest, SeekIsDurableAndJudged) {
  {
    const auto engine = OpenWith("t", 10);
    const auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
    EXPECT_EQ(Next(*cursor), "0");
    ASSERT_TRUE(cursor->Seek(Offset(7)));
    EXPECT_EQ(Next(*cursor, false), "7");
    const auto beyond = cursor->Seek(Offset(11));
    EXPECT_EQ(CodeOf(beyond), ErrorCode::kOutOfRange);
    ASSERT_TRUE(beyond.error().bounds());
    EXPECT_EQ(*beyond.error().bounds(), (OffsetBounds{Offset(0), Offset(10)}));
    EXPECT_EQ(CodeOf(cursor->Seek(Offset(-1))), ErrorCode::kOutOfRange);
    EXPECT_EQ(cursor->Position(), Offset(7));
    const auto often = OpenCursor(*engine, At("t"), "often", ReadConsistency::AtLeastOnce(100));
    ASSERT_TRUE(often->Seek(Offset(3)));
    EXPECT_EQ(Next(*often), "3");
    ASSERT_TRUE(often->SeekToTime(0));
    EXPECT_EQ(Next(*often), "0");
    ASSERT_TRUE(often->Seek(Offset(10)));
    EXPECT_EQ(Next(*often), "(end)");
    AppendNumbers(*engine, At("t"), 1, 10);
    EXPECT_EQ(Next(*often), "10");
  }
  const auto engine = Open();
  EXPECT_EQ(Next(*OpenCursor(*engine, At("t"), "c", kStrict)), "7");
}

TEST_F(EngineCursorTest, WaitIsWokenByAnAppendAndByDeletion) {
  const auto engine = OpenWith("t", 1);
  const auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
  EXPECT_TRUE(cursor->Wait(std::chrono::milliseconds(0)).value_or(false));
  EXPECT_EQ(Next(*cursor), "0");
  EXPECT_FALSE(cursor->Wait(std::chrono::milliseconds(0)).value_or(true));
  std::jthread writer([&] { AppendNumbers(*engine, At("t"), 1, 1); });
  EXPECT_TRUE(cursor->Wait(std::chrono::minutes(1)).value_or(false));
  writer.join();
  EXPECT_EQ(Next(*cursor), "1");
  std::jthread deleter([&] { EXPECT_TRUE(engine->DeleteCursor(At("t"), "c")); });
  EXPECT_EQ(CodeOf(cursor->Wait(std::chrono::minutes(1))), ErrorCode::kNotFound);
  EXPECT_EQ(Next(*cursor), "kNotFound");
}

TEST_F(EngineCursorTest, DeletedCursorsAndTopicsStartAnew) {
  const auto engine = OpenWith("t", 5);
  const auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
  EXPECT_EQ(Next(*cursor), "0");
  ASSERT_TRUE(engine->DeleteCursor(At("t"), "c"));
  EXPECT_EQ(Next(*cursor), "kNotFound");
  const auto again = OpenCursor(*engine, At("t"), "c", kStrict);
  EXPECT_EQ(Next(*again), "0");
  ASSERT_TRUE(engine->DeleteTopic("t"));
  EXPECT_EQ(Next(*again), "kNotFound");
  ASSERT_TRUE(engine->CreateTopic("t"));
  AppendNumbers(*engine, At("t"), 2);
  EXPECT_TRUE(engine->ListCursors("t").value_or(std::vector<CursorDescription>(1)).empty());
  EXPECT_EQ(Next(*OpenCursor(*engine, At("t"), "c", kStrict)), "0");
}

TEST_F(EngineCursorTest, OvertakenByRetentionIsToldOnceThenItGoesOnAtTheStart) {
  const auto engine = OpenWith("t", 10);
  for (const auto mode : {kStrict, ReadConsistency::AtLeastOnce(3)}) {
    const auto cursor = OpenCursor(*engine, At("t"), mode.strict ? "strict" : "often", mode);
    ASSERT_TRUE(engine->DeleteRecords(At("t"), mode.strict ? Offset(4) : Offset(6)));
    const auto expected = mode.strict ? 4 : 6;
    if (!mode.strict) {
      EXPECT_EQ(cursor->CorrectedFrom(), std::nullopt);
    }
    const auto told = cursor->ReadNext(true);
    EXPECT_EQ(CodeOf(told), ErrorCode::kOutOfRange);
    ASSERT_TRUE(told.error().bounds());
    EXPECT_EQ(told.error().bounds()->log_start, Offset(expected));
    EXPECT_EQ(Next(*cursor), std::to_string(expected));
    EXPECT_EQ(Batch(*cursor, 1 << 20), Numbers(expected + 1, 10));
  }
}

TEST_F(EngineCursorTest, APositionOutsideTheLogIsHeldToItAndSaysSo) {
  const auto engine = OpenWith("t", 10);
  {
    const auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
    EXPECT_EQ(Next(*cursor), "0");
  }
  ASSERT_TRUE(engine->DeleteRecords(At("t"), Offset(4)));
  const auto cursor = OpenCursor(*engine, At("t"), "c", kStrict);
  EXPECT_EQ(cursor->CorrectedFrom(), Offset(1));
  EXPECT_EQ(cursor->Position(), Offset(4));
  EXPECT_EQ(Next(*cursor), "4");
}

TEST_F(EngineCursorTest, ManyThreadsOnOneCursorGetEveryEntryOnce) {
  constexpr int kEntries = 2'000, kThreads = 8;
  const auto engine = Open();
  ASSERT_TRUE(engine->CreateTopic("t"));
  for (int i = 0; i < kEntries / 50; ++i) {
    std::vector<Record> batch;
    for (int j = 0; j < 50; ++j) batch.push_back(Value(std::to_string(50 * i + j)));
    ASSERT_TRUE(engine->Append(At("t"), batch));
  }
  for (const auto mode : {kStrict, ReadConsistency::AtLeastOnce(7)}) {
    const auto cursor = OpenCursor(*engine, At("t"), mode.strict ? "strict" : "often", mode);
    Mutex mutex;
    std::multimap<std::int64_t, std::string> found;
    {
      std::vector<std::jthread> threads;
      for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
          for (std::int64_t last = -1;;) {
            std::vector<Record> records;
            if (thread % 2 == 0) {
              auto record = cursor->ReadNext(true);
              ASSERT_TRUE(record) << Told(record);
              if (*record) records.push_back(**std::move(record));
            } else {
              auto batch = cursor->ReadBatch(20, true);
              ASSERT_TRUE(batch) << Told(batch);
              records = *std::move(batch);
            }
            if (records.empty()) return;
            EXPECT_GT(records.front().offset.value(), last);
            last = records.back().offset.value();
            MutexLock lock(mutex);
            for (const Record& record : records) found.emplace(record.offset.value(), record.value.value_or(""));
          }
        });
      }
    }
    ASSERT_EQ(found.size(), static_cast<std::size_t>(kEntries));
    int i = 0;
    for (const auto& [offset, value] : found) {
      EXPECT_EQ(offset, i);
      EXPECT_EQ(value, std::to_string(i++));
    }
  }
}

}  // namespace
}  // namespace millrace
