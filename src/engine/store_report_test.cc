// Goal: what lies in a log's store is told the same from its rows and from the store alone, and what is missing there
// is named. Method: a real directory as the store, with files taken away and put there by hand. Proves B90.
#include "engine/store_report.h"

#include <fstream>
#include <map>
#include <vector>

#include "engine/engine_fixture.h"

namespace millrace {
namespace {

class StoreReportTest : public EngineFixture {
 protected:
  void SetUp() override {
    options_ = Options();
    options_.object_store = url_ = "file://" + (directory_.path() / "store").string();
    const auto engine = Open(options_);
    for (const std::string name : {"a", "b"}) {
      ASSERT_TRUE(engine->CreateTopic(name));
      AppendNumbers(*engine, At(name), 10, 0, {.durability = Durability::kObject});
    }
  }
  std::vector<std::filesystem::path> Objects() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path() / "store"))
      if (entry.path().extension() == ".obj") found.push_back(entry.path());
    return found;
  }
  std::vector<Result<StoreReport>> Both() const { return {ReportLog(options_), ReportStore(url_, "")}; }

  EngineOptions options_;
  std::string url_;
};

TEST_F(StoreReportTest, RowsAndStoreTellTheSame) {
  const auto reports = Both();
  for (const auto& report : reports) {
    ASSERT_TRUE(report) << Told(report);
    EXPECT_TRUE(report->account.found.empty());
    EXPECT_EQ(report->generation, 1U);
    EXPECT_EQ(report->account.of(StoredAs::kInUse).objects, Objects().size());
    EXPECT_EQ(report->account.of(StoredAs::kClaim).objects, 1U);
    EXPECT_EQ(report->account.of(StoredAs::kLog).objects, 1U);
    ASSERT_EQ(report->account.topics.size(), 2U);
    EXPECT_EQ(report->account.topics[0].name, "a");
    EXPECT_EQ(report->account.topics[0].records, 10U);
    EXPECT_GT(report->account.topics[1].bytes, 0U);
  }
  EXPECT_FALSE(reports[0]->from_store_alone);
  EXPECT_TRUE(reports[1]->from_store_alone);
  EXPECT_EQ(reports[0]->identity, reports[1]->identity);
}

TEST_F(StoreReportTest, WhatRowsNeedAndTheStoreHasNotIsNamed) {
  const auto objects = Objects();
  ASSERT_GE(objects.size(), 2U);
  std::filesystem::remove(objects[0]);
  std::filesystem::resize_file(objects[1], 30);
  std::ofstream(directory_.path() / "store" / "stranger") << "x";
  const auto report = ReportLog(options_);
  ASSERT_TRUE(report) << Told(report);
  const auto& found = report->account.found;
  ASSERT_EQ(found.size(), 3U);
  EXPECT_NE(found[0].kind, found[1].kind);
  for (int i : {0, 1}) EXPECT_TRUE(found[static_cast<std::size_t>(i)].is_damage());
  EXPECT_EQ(found[2].kind, StoreFinding::Kind::kForeign);
  EXPECT_EQ(found[2].key, "stranger");
}

TEST_F(StoreReportTest, LooksAtTheStoreWhileAnEngineHoldsTheDirectory) {
  const auto engine = Open(options_);
  const auto held = ReportLog(options_);
  EXPECT_EQ(CodeOf(held), ErrorCode::kUnavailable) << Told(held);
  EXPECT_TRUE(ReportStore(url_, ""));
  EXPECT_EQ(CodeOf(ReportStore("file:", "")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(ReportStore(url_, "other")), ErrorCode::kNotFound);
}

TEST_F(StoreReportTest, LookingChangesNothing) {
  const auto times = [&] {
    std::map<std::string, std::filesystem::file_time_type> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path()))
      if (entry.is_regular_file()) found[entry.path()] = entry.last_write_time();
    return found;
  };
  const auto before = times();
  for (const auto& report : Both()) ASSERT_TRUE(report) << Told(report);
  EXPECT_EQ(times(), before);
}

}  // namespace
}  // namespace millrace
