// The tables of the SQLite metadata store, and how an older file becomes a present one. Documented in
// docs/format/metadata.md; a test holds the two together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "meta/sqlite_database.h"
#include "millrace/result.h"

namespace millrace {

inline constexpr std::int64_t kSqliteSchemaVersion = 5;

/// The statement lists that lead from version i to version i + 1. To version 4 rows are counted as well.
std::span<const char* const> SqliteMigrations();

/// Makes a new file of the present version under another name and renames it to `path`: it is there whole or not at
/// all. kCorruption if a -wal file lies there without its database.
Result<void> CreateSqliteFile(const std::filesystem::path& path, FileSystem& file_system);

/// Brings the file to the present version, one transaction for all steps. Cost: to version 4 all segments are copied
/// and all objects written, in memory until it is committed. Errors: kUnsupported (a newer file; the message names the
/// version needed), those of the database.
Result<void> MigrateSqlite(SqliteDatabase& database);

}  // namespace millrace
