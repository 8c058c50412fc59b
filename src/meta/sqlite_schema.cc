#include "meta/sqlite_schema.h"

#include <fmt/format.h>

#include <array>

#include "base/try.h"
#include "meta/sqlite_tables.h"

namespace millrace {
namespace {

constexpr const char* kVersion1 = R"sql(
CREATE TABLE store (
  name BLOB NOT NULL PRIMARY KEY,
  number INTEGER NOT NULL,
  text BLOB NOT NULL,
  crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE topics (
  id INTEGER NOT NULL PRIMARY KEY,
  uuid BLOB NOT NULL,
  name BLOB NOT NULL UNIQUE,
  partitions INTEGER NOT NULL,
  retention_ms INTEGER,
  retention_bytes INTEGER,
  durability INTEGER NOT NULL,
  cleanup INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  crc INTEGER NOT NULL
) STRICT;

CREATE TABLE partitions (
  topic INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  log_start INTEGER NOT NULL,
  tiered_end INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  segment_bytes INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE objects (
  id BLOB NOT NULL PRIMARY KEY,
  key BLOB NOT NULL,
  size_bytes INTEGER NOT NULL,
  state INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE segments (
  topic INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  base INTEGER NOT NULL,
  end INTEGER NOT NULL,
  object BLOB NOT NULL,
  byte_begin INTEGER NOT NULL,
  byte_size INTEGER NOT NULL,
  records INTEGER NOT NULL,
  timestamp_min_ms INTEGER NOT NULL,
  timestamp_max_ms INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (topic, partition, base)
) STRICT, WITHOUT ROWID;

CREATE INDEX segments_by_object ON segments (object);

CREATE TABLE positions (
  group_name BLOB NOT NULL,
  topic INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  position INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (group_name, topic, partition)
) STRICT, WITHOUT ROWID;
)sql";

// The collector asks for objects by state and age; without an order of their own that was a scan of all of them.
constexpr const char* kVersion2 = R"sql(
CREATE INDEX objects_by_state ON objects (state, changed_ms, id);
)sql";

// When a segment was committed: rows that are there have null. What is left of topics that are gone.
constexpr const char* kVersion3 = R"sql(
ALTER TABLE segments ADD COLUMN committed_ms INTEGER;

CREATE TABLE removals (
  topic INTEGER NOT NULL PRIMARY KEY,
  removed_ms INTEGER NOT NULL,
  crc INTEGER NOT NULL
) STRICT;
)sql";

// Segments are keyed by their end; objects count their segments, so that no index over the object is needed; what was
// committed is numbered.
constexpr const char* kVersion4 = R"sql(
ALTER TABLE objects ADD COLUMN segments INTEGER;

CREATE TABLE segments_by_end (
  topic INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  base INTEGER NOT NULL,
  end INTEGER NOT NULL,
  object BLOB NOT NULL,
  byte_begin INTEGER NOT NULL,
  byte_size INTEGER NOT NULL,
  records INTEGER NOT NULL,
  timestamp_min_ms INTEGER NOT NULL,
  timestamp_max_ms INTEGER NOT NULL,
  committed_ms INTEGER,
  crc INTEGER NOT NULL,
  PRIMARY KEY (topic, partition, end)
) STRICT, WITHOUT ROWID;

INSERT INTO segments_by_end (topic, partition, base, end, object, byte_begin, byte_size, records, timestamp_min_ms,
                             timestamp_max_ms, committed_ms, crc)
  SELECT topic, partition, base, end, object, byte_begin, byte_size, records, timestamp_min_ms, timestamp_max_ms,
         committed_ms, crc
  FROM segments ORDER BY topic, partition, base;

DROP TABLE segments;

ALTER TABLE segments_by_end RENAME TO segments;

CREATE TABLE changes (
  last INTEGER NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL,
  committed_ms INTEGER NOT NULL,
  keys BLOB NOT NULL,
  crc INTEGER NOT NULL
) STRICT;
)sql";
constexpr std::int64_t kVersionThatCounts = 4;

// Where epochs of partitions began (partitions that are there have been in one from their beginning), what Kafka
// clients commit with a position, and groups in their last durable generation.
constexpr const char* kVersion5 = R"sql(
CREATE TABLE epochs (
  topic INTEGER NOT NULL,
  partition INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  first INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (topic, partition, epoch)
) STRICT, WITHOUT ROWID;

ALTER TABLE positions ADD COLUMN committed_ms INTEGER;

ALTER TABLE positions ADD COLUMN leader_epoch INTEGER;

ALTER TABLE positions ADD COLUMN metadata BLOB;

CREATE TABLE consumer_groups (
  name BLOB NOT NULL PRIMARY KEY,
  protocol_type BLOB NOT NULL,
  protocol BLOB NOT NULL,
  generation INTEGER NOT NULL,
  leader BLOB NOT NULL,
  empty_since_ms INTEGER NOT NULL,
  crc INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE group_members (
  group_name BLOB NOT NULL,
  member BLOB NOT NULL,
  place INTEGER NOT NULL,
  instance BLOB NOT NULL,
  client_id BLOB NOT NULL,
  client_host BLOB NOT NULL,
  session_timeout_ms INTEGER NOT NULL,
  rebalance_timeout_ms INTEGER NOT NULL,
  metadata BLOB NOT NULL,
  assignment BLOB NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (group_name, member)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array<const char*, 5> kMigrations = {kVersion1, kVersion2, kVersion3, kVersion4, kVersion5};
static_assert(kMigrations.size() == kSqliteSchemaVersion);

/// Each object gets the number of its segments. One that is missing stays so: the caller that drops its segment is
/// told.
Result<void> CountSegmentsOfObjects(SqliteDatabase& database) {
  MR_ASSIGN_OR_RETURN(SqliteStatement counts,
                      database.Prepare("SELECT object, count(*) FROM segments WHERE byte_size <> 0 OR object <> "
                                       "zeroblob(16) GROUP BY object"));
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, counts.Step());
    if (!more) return {};
    ObjectKey key;
    SetCell(key.id, counts.Blob(0));
    ObjectRow row;
    {
      MR_ASSIGN_OR_RETURN(SqliteStatement find, database.Prepare(SqlOf<KeySql<ObjectKey>>().get.c_str()));
      BindKey(find, key);
      MR_ASSIGN_OR_RETURN(const bool found, find.Step());
      if (!found) continue;
      MR_ASSIGN_OR_RETURN(row, ReadRow<ObjectRow>(database, find));
    }
    row.segments = static_cast<std::uint64_t>(counts.Integer(1));
    MR_ASSIGN_OR_RETURN(SqliteStatement put, database.Prepare(SqlOf<WriteSql<ObjectRow>>().put.c_str()));
    BindRow(put, row);
    MR_TRY(put.Run());
  }
}

}  // namespace

std::span<const char* const> SqliteMigrations() { return kMigrations; }

Result<void> CreateSqliteFile(const std::filesystem::path& path, FileSystem& file_system) {
  MR_ASSIGN_OR_RETURN(const std::optional<SqliteWalExtent> wal, MeasureSqliteWal(file_system, path.string() + "-wal"));
  if (wal) {
    return Error(ErrorCode::kCorruption, fmt::format("metadata: {} is missing, its -wal file is there", path.string()))
        .WithDamage({{}, {}, {}, path.string(), 0, 0});
  }
  MR_TRY(file_system.CreateDirectories(path.parent_path()));
  const std::filesystem::path building = path.string() + "-new";
  for (const char* leftover : {"", "-journal", "-wal"}) {
    auto removed = file_system.Remove(building.string() + leftover);
    if (!removed && removed.error().code() != ErrorCode::kNotFound) return removed;
  }
  {
    MR_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteDatabase> database,
                        SqliteDatabase::Open(building, file_system, SqlitePurpose::kBuild));
    MR_TRY(MigrateSqlite(*database));
    MR_TRY(database->Close());
  }
  {
    MR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, file_system.Open(building, {FileAccess::kReadWrite}));
    MR_TRY(file->Sync());
  }
  MR_TRY(file_system.Rename(building, path));
  return file_system.SyncDirectory(path.parent_path());
}

Result<void> MigrateSqlite(SqliteDatabase& database) {
  MR_ASSIGN_OR_RETURN(const std::int64_t found, database.QueryInteger("PRAGMA user_version"));
  if (found == kSqliteSchemaVersion) return {};
  if (found < 0)
    return Error(ErrorCode::kCorruption, fmt::format("metadata: {}: version {}", database.path().string(), found));
  if (found > kSqliteSchemaVersion) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("metadata: {} has format version {}, this release knows up to {}",
                             database.path().string(), found, kSqliteSchemaVersion),
                 fmt::format("Open it with a release that knows metadata version {}", found));
  }
  return database.Transact([&]() -> Result<void> {
    for (std::int64_t version = found; version < kSqliteSchemaVersion; ++version) {
      MR_TRY(database.Execute(kMigrations[static_cast<std::size_t>(version)]));
      if (version + 1 == kVersionThatCounts) MR_TRY(CountSegmentsOfObjects(database));
    }
    return database.Execute(fmt::format("PRAGMA user_version={}", kSqliteSchemaVersion).c_str());
  });
}

}  // namespace millrace
