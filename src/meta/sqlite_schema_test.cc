// Goal: the schema in docs/format/metadata.md is the one in the code; a file of an older version opens and becomes a
// present one with nothing lost; a newer one is refused by name; a million segments cost an open nothing.
// Method: the documented statements are run beside the real ones and the catalogues compared; golden/metadata-v1.db was
// written by the code as it was at version 1: the scenario of metadata_scenario.h, closed; golden/metadata-v3.db by
// those of versions 3 and 4, with more behind it.
#include "meta/sqlite_schema.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/coding.h"
#include "base/crc32c.h"
#include "env/posix_file_system.h"
#include "env/sim/sim_file_system.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"
#include "meta/metadata_rows.h"
#include "meta/metadata_scenario.h"
#include "meta/row_codec.h"
#include "meta/sqlite_metadata_store.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr const char* kDatabase = "/data/metadata.db";

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Type, name and columns of everything in a database made by `statements`.
std::string Catalogue(const std::vector<std::string>& statements) {
  sqlite3* connection = nullptr;
  EXPECT_EQ(sqlite3_open(":memory:", &connection), SQLITE_OK);
  for (const std::string& sql : statements) {
    EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(connection);
  }
  std::string text;
  const auto collect = [](void* out, int columns, char** values, char**) {
    for (int i = 0; i < columns; ++i) *static_cast<std::string*>(out) += std::string(values[i] ? values[i] : "-") + "|";
    *static_cast<std::string*>(out) += "\n";
    return 0;
  };
  sqlite3_exec(connection,
               "SELECT m.type, m.name, m.tbl_name, c.name, c.type, c.\"notnull\", c.pk, l.wr, l.strict FROM "
               "sqlite_schema m LEFT JOIN pragma_table_xinfo(m.name) c LEFT JOIN pragma_table_list(m.name) l "
               "ORDER BY m.name, c.cid",
               collect, &text, nullptr);
  sqlite3_close(connection);
  return text;
}

TEST(SqliteSchemaTest, TheDocumentedSchemaIsTheOneInTheCode) {
  const std::string page = ReadText(MILLRACE_METADATA_PAGE);
  ASSERT_FALSE(page.empty());
  std::vector<std::string> documented, real;
  constexpr std::string_view kOpen = "```sql\n", kClose = "```";
  for (auto at = page.find(kOpen); at != std::string::npos; at = page.find(kOpen, at)) {
    at += kOpen.size();
    documented.push_back(page.substr(at, page.find(kClose, at) - at));
  }
  ASSERT_FALSE(documented.empty());
  for (const char* sql : SqliteMigrations()) real.emplace_back(sql);
  EXPECT_EQ(Catalogue(documented), Catalogue(real));
  EXPECT_NE(page.find(fmt::format("Present version: {}", kSqliteSchemaVersion)), std::string::npos);
}

TEST(SqliteSchemaTest, TheWorkedExampleIsTrue) {
  const PartitionRow row{{TopicId(7), PartitionId(2)}, LeaderEpoch(3), Offset(100), Offset(480), 4, 65536};
  const RowCrc crc = RowCrc(MetadataTable::kPartitions)
                         .Add(row.key.topic.value())
                         .Add(std::int64_t{row.key.partition.value()})
                         .Add(std::int64_t{row.epoch.value()})
                         .Add(row.log_start.value())
                         .Add(row.tiered_end.value())
                         .Add(static_cast<std::int64_t>(row.segments))
                         .Add(static_cast<std::int64_t>(row.segment_bytes));
  // Independently: table 3, then each column as 1 and eight bytes.
  std::vector<std::byte> bytes = {std::byte{3}};
  for (const std::int64_t value : {7, 2, 3, 100, 480, 4, 65536}) {
    bytes.push_back(std::byte{1});
    bytes.resize(bytes.size() + 8);
    PutLe(bytes.data() + bytes.size() - 8, value);
  }
  EXPECT_EQ(crc.value(), std::int64_t{Crc32c(bytes)});
  const std::string page = ReadText(MILLRACE_METADATA_PAGE);
  EXPECT_NE(page.find(fmt::format("{}", crc.value())), std::string::npos) << crc.value();
  EXPECT_NE(RowCrc(MetadataTable::kTopics).Add(std::optional<std::int64_t>()).value(),
            RowCrc(MetadataTable::kTopics).Add(std::int64_t{0}).value());
  EXPECT_NE(RowCrc(MetadataTable::kTopics).Add(AsBytes("a")).Add(AsBytes("")).value(),
            RowCrc(MetadataTable::kTopics).Add(AsBytes("")).Add(AsBytes("a")).value());
}

void PutGolden(SimFileSystem& disk, const char* name) {
  const std::string golden = ReadText(std::filesystem::path(MILLRACE_METADATA_GOLDEN) / name);
  ASSERT_FALSE(golden.empty());
  ASSERT_TRUE(disk.CreateDirectories("/data"));
  auto file = disk.Open(kDatabase, {FileAccess::kReadWrite, FileCreation::kCreateNew});
  ASSERT_TRUE((*file)->WriteAt(0, AsBytes(golden)));
  ASSERT_TRUE((*file)->Sync());
  ASSERT_TRUE(disk.SyncDirectory("/data"));
  ASSERT_TRUE(disk.SyncDirectory("/"));
}

/// The metadata as text, objects with the segments they count: those that lie in them.
std::string DumpWithCounts(MetadataStore& store) {
  std::string text = *DumpMetadata(store);
  for (const MetadataRow& row : *store.Scan(ObjectKey{}, EndOfTable{}, SIZE_MAX)) {
    const auto& object = std::get<ObjectRow>(row);
    text += fmt::format("count {} {}\n", ObjectIdText(object.id), object.segments);
  }
  return text;
}

TEST(SqliteSchemaTest, AFileOfVersion1OpensAndBecomesAPresentOne) {
  SimFileSystem disk(1);
  PutGolden(disk, "metadata-v1.db");
  for (int opening = 0; opening < 2; ++opening) {
    auto store = SqliteMetadataStore::Open(kDatabase, disk);
    ASSERT_TRUE(store) << store.error().ToString();
    EXPECT_EQ(*DumpMetadata(**store), ModelDumps(MetadataScenario()).back());
    ASSERT_TRUE((*store)->Close());
  }
  auto database = SqliteDatabase::Open(kDatabase, disk, SqlitePurpose::kServe);
  ASSERT_TRUE(database);
  EXPECT_EQ(*(*database)->QueryInteger("PRAGMA user_version"), kSqliteSchemaVersion);
  EXPECT_EQ(*(*database)->QueryInteger("SELECT count(*) FROM sqlite_schema WHERE name = 'objects_by_state'"), 1);
  EXPECT_EQ(*(*database)->QueryInteger("SELECT count(*) FROM sqlite_schema WHERE name = 'segments_by_object'"), 0);
  ASSERT_TRUE((*database)->Close());
}

/// What golden/metadata-v3.db holds: the scenario; a topic with a time of commit and a gap; and a topic of 600 segments
/// whose deletion was interrupted.
void RunScenarioOfVersion3(MetadataStore& store) {
  for (const MetadataStep& step : MetadataScenario()) ASSERT_TRUE(step(store));
  const Catalog catalog(store);
  const PartitionKey gaps{catalog.CreateTopic("gaps", {}, "", 5)->id, PartitionId(0)};
  ObjectRow object{{}, "objects/gaps", 100, ObjectState::kPrepared, 9500, 0};
  object.id.fill(0xab);
  ASSERT_TRUE(catalog.PrepareObject(object));
  const SegmentCommit commits[] = {{{gaps, Offset(0), Offset(7), object.id, 0, 100, 7, 1, 2, 9501}, LeaderEpoch(0)},
                                   {{gaps, Offset(7), Offset(12), {}, 0, 0, 0, 0, 0, 9502}, LeaderEpoch(0)}};
  ASSERT_TRUE(catalog.CommitSegments(object, commits));
  const PartitionKey large{catalog.CreateTopic("large", {}, "", 6)->id, PartitionId(0)};
  for (int n = 0; n < 60; ++n) {
    ObjectRow each{{}, "objects/large/" + std::to_string(n), 100, ObjectState::kPrepared, 9600, 0};
    each.id.fill(static_cast<std::uint8_t>(n));
    each.id[15] = 0xcd;
    ASSERT_TRUE(catalog.PrepareObject(each));
    std::vector<SegmentCommit> ten;
    for (int i = n * 10; i < n * 10 + 10; ++i)
      ten.push_back({{large, Offset(i), Offset(i + 1), each.id, 0, 100, 1, 0, 0, 9601}, LeaderEpoch(0)});
    ASSERT_TRUE(catalog.CommitSegments(each, ten));
  }
  ASSERT_TRUE(catalog.DeleteTopic(large.topic, 9700));
}

TEST(SqliteSchemaTest, AFileOfVersion3OpensCountsItsSegmentsAndGoesOnWithARemoval) {
  SimFileSystem disk(1);
  PutGolden(disk, "metadata-v3.db");
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(store) << store.error().ToString();
  EXPECT_EQ((*store)->Scan(RemovalKey{}, EndOfTable{}, 10)->size(), 1u);
  for (int looks = 0; looks < 3; ++looks) ASSERT_TRUE(Catalog(**store).ObjectsIn(ObjectState::kDeleting, 0, 1));
  EXPECT_TRUE((*store)->Scan(RemovalKey{}, EndOfTable{}, 10)->empty());
  MemoryMetadataStore model;
  RunScenarioOfVersion3(model);
  EXPECT_EQ(DumpWithCounts(**store), DumpWithCounts(model));
  const PartitionKey gaps{TopicId(4), PartitionId(0)};
  EXPECT_EQ(*Catalog(**store).Segments(gaps, Offset(0), 10), *Catalog(model).Segments(gaps, Offset(0), 10));
  EXPECT_TRUE((*store)->Changes(ChangeNumber(0), 10));
}

/// golden/metadata-v4.db holds the same, and all of the large topic is gone.
TEST(SqliteSchemaTest, AFileOfVersion4OpensAndItsPartitionsHaveBeenInOneEpoch) {
  SimFileSystem disk(1);
  PutGolden(disk, "metadata-v4.db");
  MemoryMetadataStore model;
  RunScenarioOfVersion3(model);
  const PartitionKey gaps{TopicId(4), PartitionId(0)};
  for (int opening = 0; opening < 2; ++opening) {
    auto store = SqliteMetadataStore::Open(kDatabase, disk);
    ASSERT_TRUE(store) << store.error().ToString();
    EXPECT_EQ(DumpWithCounts(**store), DumpWithCounts(model));
    const auto epochs = Catalog(**store).Epochs();
    ASSERT_TRUE(epochs) << epochs.error().ToString();
    EXPECT_EQ(epochs->size(), opening == 0 ? 0U : 1U);
    if (opening == 1) continue;
    EXPECT_EQ(*(*store)->Changes(ChangeNumber(0), 10), *model.Changes(ChangeNumber(0), 10));
    for (MetadataStore* each : {static_cast<MetadataStore*>(store->get()), static_cast<MetadataStore*>(&model)}) {
      std::vector<EpochGround> grounds(1);
      grounds[0].partition = Catalog(*each).Partitions(gaps.topic)->front();
      grounds[0].log_end = Offset(12);
      ASSERT_TRUE(Catalog(*each).RaiseEpochs(grounds));
    }
    ASSERT_TRUE((*store)->Close());
  }
}

/// The migration is one transaction: power lost after any operation leaves a file of either version, and all it holds.
TEST(SqliteSchemaTest, AMigrationThatIsInterruptedIsMadeAgain) {
  SimFileSystem disk(1);
  PutGolden(disk, "metadata-v3.db");
  std::vector<std::shared_ptr<const SimFileSystem::Image>> images;
  disk.SetObserver([&](SimOperation, const std::filesystem::path&) { images.push_back(disk.Snapshot()); });
  {
    auto store = SqliteMetadataStore::Open(kDatabase, disk);
    ASSERT_TRUE(store);
  }
  disk.SetObserver({});
  MemoryMetadataStore model;
  RunScenarioOfVersion3(model);
  const std::string expected = DumpWithCounts(model);
  ASSERT_GE(images.size(), 5u);
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (const std::uint64_t seed : {0, 1, 2}) {
      auto after = SimFileSystem::AfterPowerLoss(*images[i], seed);
      auto store = SqliteMetadataStore::Open(kDatabase, *after);
      ASSERT_TRUE(store) << i << " " << seed << " " << store.error().ToString();
      for (int looks = 0; looks < 3; ++looks) ASSERT_TRUE(Catalog(**store).ObjectsIn(ObjectState::kDeleting, 0, 1));
      EXPECT_EQ(DumpWithCounts(**store), expected) << i << " " << seed;
    }
  }
}

TEST(SqliteSchemaTest, ANewerFileIsRefusedNamingTheVersionNeeded) {
  SimFileSystem disk(1);
  ASSERT_TRUE(disk.CreateDirectories("/data"));
  ASSERT_TRUE(CreateSqliteFile(kDatabase, disk));
  {
    auto database = SqliteDatabase::Open(kDatabase, disk, SqlitePurpose::kServe);
    ASSERT_TRUE(database);
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version=99"));
    ASSERT_TRUE((*database)->Close());
  }
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(store.error().ToString().find("version 99"), std::string::npos);
}

TEST(SqliteSchemaTest, AMissingDatabaseBesideItsWalIsNotANewOne) {
  SimFileSystem disk(1);
  auto store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_TRUE(Catalog(**store).CreateTopic("t", {}, "", 1));
  disk.KillProcess();
  ASSERT_TRUE(disk.Remove(kDatabase));
  store = SqliteMetadataStore::Open(kDatabase, disk);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), ErrorCode::kCorruption);
}

}  // namespace
}  // namespace millrace
