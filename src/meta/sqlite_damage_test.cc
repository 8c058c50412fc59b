// Goal: one flipped bit anywhere in the database, its -wal file or its mark gives the right answer or kCorruption,
// never a wrong value and never rows that are silently missing (row 10 of the reliability page). Method: the scenario
// on a simulated disk, once closed cleanly and once killed with everything still in the -wal file; then one bit flipped
// at a time, open, dump, compare with the model.
#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/metadata_scenario.h"
#include "meta/sqlite_metadata_store.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr const char* kDatabase = "/data/metadata.db";

enum class Ending { kClosed, kKilled };

class SqliteDamageTest : public testing::TestWithParam<Ending> {};

INSTANTIATE_TEST_SUITE_P(Endings, SqliteDamageTest, testing::Values(Ending::kClosed, Ending::kKilled),
                         [](const auto& info) { return info.param == Ending::kClosed ? "Closed" : "Killed"; });

std::shared_ptr<const SimFileSystem::Image> RunScenario(Ending ending) {
  SimFileSystem disk(1);
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  EXPECT_TRUE(store) << store.error().ToString();
  for (const MetadataStep& step : MetadataScenario()) EXPECT_TRUE(step(**store));
  if (ending == Ending::kClosed) EXPECT_TRUE((*store)->Close());
  auto image = disk.Snapshot();
  return image;
}

Result<std::string> OpenAndDump(SimFileSystem& disk) {
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  if (!store) return store.error();
  return DumpMetadata(**store);
}

TEST_P(SqliteDamageTest, OneFlippedBitIsRightOrCorruption) {
  const auto image = RunScenario(GetParam());
  const std::string expected = ModelDumps(MetadataScenario()).back();
  constexpr std::uint64_t kAllIsKept = 1;
  std::set<std::string> files;
  std::uint64_t checked = 0, right = 0, corrupt = 0;
  auto disk = SimFileSystem::AfterPowerLoss(*image, kAllIsKept);
  ASSERT_EQ(*OpenAndDump(*disk), expected);
  disk = SimFileSystem::AfterPowerLoss(*image, kAllIsKept);
  for (const std::filesystem::path& file : disk->Files()) {
    if (file.filename() == "metadata.db-reserve") continue;  // space kept for a full disk; its bytes are never read
    const std::uint64_t size = disk->Contents(file).size();
    if (size > 0) files.insert(file.filename());
    // Dense where headers live, then a stride that meets every offset within a page sooner or later.
    const std::uint64_t stride = GetParam() == Ending::kClosed ? 17 : 151;
    for (std::uint64_t byte = 0; byte < size; byte += byte < 200 ? 1 : stride) {
      auto flipped = SimFileSystem::AfterPowerLoss(*image, kAllIsKept);
      flipped->FlipBit(file, byte, static_cast<unsigned>((byte + byte / 17) % 8));
      auto dump = OpenAndDump(*flipped);
      ++checked;
      if (dump) {
        EXPECT_EQ(*dump, expected) << file << " byte " << byte;
        ++right;
      } else {
        EXPECT_EQ(dump.error().code(), ErrorCode::kCorruption) << file << " byte " << byte << dump.error().ToString();
        EXPECT_NE(dump.error().message().find("/data/metadata.db"), std::string_view::npos);
        ++corrupt;
      }
      if (testing::Test::HasFailure()) return;
    }
  }
  std::cout << "checked=" << checked << " right=" << right << " corruption=" << corrupt << "\n";
  EXPECT_GE(checked, 2000u);
  EXPECT_GT(corrupt, checked / 4);
  EXPECT_TRUE(files.contains("metadata.db"));
  EXPECT_EQ(files.contains("metadata.db-wal"), GetParam() == Ending::kKilled);
}

TEST(SqliteDamageTest, DamageMetWhileRunningIsAnError) {
  SimFileSystem disk(1);
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store);
  for (const MetadataStep& step : MetadataScenario()) ASSERT_TRUE(step(**store));
  ASSERT_TRUE((*store)->Close());
  store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store);
  // Every page but the first, which is in memory by now, is damaged.
  for (std::uint64_t at = 4096; at < disk.Contents(kDatabase).size(); at += 4096) disk.FlipBit(kDatabase, at + 2000, 3);
  auto segments = Catalog(**store).Segments({TopicId(1), PartitionId(0)}, Offset(0), 10);
  ASSERT_FALSE(segments);
  EXPECT_EQ(segments.error().code(), ErrorCode::kCorruption);
  ASSERT_NE(segments.error().damage(), nullptr);
  EXPECT_EQ(segments.error().damage()->place, kDatabase);
  EXPECT_EQ(segments.error().damage()->byte_end - segments.error().damage()->byte_begin, 4096u);
}

TEST(SqliteDamageTest, AFileOfSomebodyElseIsRefused) {
  for (const std::string& text :
       {std::string(8192, 'x'), std::string("SQLite format 3\0", 16) + std::string(8192, '\1'), std::string(10, 'x')}) {
    SimFileSystem disk(1);
    ASSERT_TRUE(disk.CreateDirectories("/data"));
    {
      auto file = disk.Open(kDatabase, {FileAccess::kReadWrite, FileCreation::kCreateNew});
      ASSERT_TRUE(file);
      ASSERT_TRUE((*file)->WriteAt(0, AsBytes(text)));
    }
    auto store = SqliteMetadataStore::Open(kDatabase, disk);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code(), ErrorCode::kCorruption) << store.error().ToString();
  }
}

}  // namespace
}  // namespace millrace
