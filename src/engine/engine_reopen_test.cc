// Goal: an engine closed cleanly opens without reading its log, and to the same data as one that was killed. Method:
// several partitions and topics; closed, opened, compared with an opening that reads all,
// appended to and read again; then with an old note in the place of the new. Proves B20, R18, B3, B28.
#include <gtest/gtest.h>

#include "engine/engine_fixture.h"

namespace millrace {
namespace {

class EngineReopenTest : public EngineFixture {
 protected:
  static PartitionOffsets Offsets(Engine& engine, const TopicPartition& partition) {
    auto offsets = engine.Offsets(partition);
    EXPECT_TRUE(offsets) << Told(offsets);
    return offsets ? *offsets : PartitionOffsets{};
  }
  static void ExpectSame(const PartitionOffsets& a, const PartitionOffsets& b) {
    EXPECT_EQ(a.log_start, b.log_start);
    EXPECT_EQ(a.hot_start, b.hot_start);
    EXPECT_EQ(a.tiered_end, b.tiered_end);
    EXPECT_EQ(a.durable_end, b.durable_end);
    EXPECT_EQ(a.log_end, b.log_end);
  }
  [[nodiscard]] std::filesystem::path ClosedFile() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      if (entry.path().filename() == "closed") return entry.path();
    }
    return {};
  }
  void MakeTopics(Engine& engine) {
    ASSERT_TRUE(engine.CreateTopic("a", {.partitions = 2}));
    ASSERT_TRUE(engine.CreateTopic("b", {}));
    ASSERT_TRUE(engine.CreateTopic("empty", {}));
  }
};

TEST_F(EngineReopenTest, ACleanCloseKeepsEverythingThroughManyOpenings) {
  int a0 = 0, a1 = 0, b = 0;
  {
    auto engine = Open();
    MakeTopics(*engine);
    ASSERT_TRUE(engine->Close());
  }
  for (int cycle = 0; cycle < 6; ++cycle) {
    auto engine = Open();
    EXPECT_EQ(ReadAll(*engine, At("a", 0)), Numbers(0, a0)) << cycle;
    EXPECT_EQ(ReadAll(*engine, At("a", 1)), Numbers(0, a1)) << cycle;
    EXPECT_EQ(ReadAll(*engine, At("b")), Numbers(0, b)) << cycle;
    EXPECT_TRUE(ReadAll(*engine, At("empty")).empty());
    EXPECT_TRUE(ClosedFile().empty()) << "an open engine leaves no word of a clean close";
    AppendNumbers(*engine, At("a", 0), 2, a0);
    a0 += 2;
    if (cycle % 2 == 0) {
      AppendNumbers(*engine, At("a", 1), 50, a1);
      a1 += 50;
    }
    if (cycle == 3) {
      ASSERT_TRUE(engine->Upload());
      ASSERT_TRUE(engine->Recycle());
    }
    AppendNumbers(*engine, At("b"), 1, b);
    ++b;
    ASSERT_TRUE(engine->Close());
    EXPECT_FALSE(ClosedFile().empty()) << cycle;
  }
}

TEST_F(EngineReopenTest, ReadOrNotTheLogOpensToTheSameOffsets) {
  {
    auto engine = Open();
    MakeTopics(*engine);
    AppendNumbers(*engine, At("a", 0), 300);
    AppendNumbers(*engine, At("a", 1), 3);
    ASSERT_TRUE(engine->Upload());
    AppendNumbers(*engine, At("a", 0), 40, 300);
    ASSERT_TRUE(engine->DeleteRecords(At("a", 1), Offset(2)));
    ASSERT_TRUE(engine->Close());
  }
  const auto closed = ClosedFile();
  ASSERT_FALSE(closed.empty());
  const auto kept = closed.parent_path().parent_path() / "kept";
  std::filesystem::copy_file(closed, kept);
  std::vector<PartitionOffsets> without, with;
  for (std::vector<PartitionOffsets>* found : {&without, &with}) {
    if (found == &without) {
      std::filesystem::remove(closed);
    } else {
      std::filesystem::copy_file(kept, closed, std::filesystem::copy_options::overwrite_existing);
    }
    auto engine = Open();
    for (const auto& partition : {At("a", 0), At("a", 1), At("b"), At("empty")}) {
      found->push_back(Offsets(*engine, partition));
    }
    EXPECT_EQ(ReadAll(*engine, At("a", 0)), Numbers(0, 340));
    EXPECT_EQ(ReadAll(*engine, At("a", 1), Offset(2)), Numbers(2, 3));
    ASSERT_TRUE(engine->Close());
  }
  for (std::size_t i = 0; i < without.size(); ++i) ExpectSame(without[i], with[i]);
}

TEST_F(EngineReopenTest, AnOldNoteIsNotBelieved) {
  {
    auto engine = Open();
    MakeTopics(*engine);
    AppendNumbers(*engine, At("b"), 10);
    ASSERT_TRUE(engine->Close());
  }
  const auto closed = ClosedFile();
  const auto kept = closed.parent_path().parent_path() / "kept";
  std::filesystem::copy_file(closed, kept);
  {
    auto engine = Open();
    AppendNumbers(*engine, At("b"), 10, 10);
    ASSERT_TRUE(engine->Close());
  }
  std::filesystem::copy_file(kept, closed, std::filesystem::copy_options::overwrite_existing);
  auto engine = Open();
  EXPECT_EQ(ReadAll(*engine, At("b")), Numbers(0, 20));
}

TEST_F(EngineReopenTest, FramesOfATopicThatIsGoneStayUnread) {
  {
    auto engine = Open();
    MakeTopics(*engine);
    AppendNumbers(*engine, At("b"), 10);
    AppendNumbers(*engine, At("a", 1), 10);
    ASSERT_TRUE(engine->DeleteTopic("b"));
    ASSERT_TRUE(engine->CreateTopic("b", {}));
    ASSERT_TRUE(engine->Close());
  }
  auto engine = Open();
  EXPECT_TRUE(ReadAll(*engine, At("b")).empty());
  EXPECT_EQ(ReadAll(*engine, At("a", 1)), Numbers(0, 10));
}

}  // namespace
}  // namespace millrace
