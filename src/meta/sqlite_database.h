// One SQLite connection and its prepared statements, behind Result. SQLite's header stays in the .cc files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "meta/sqlite_vfs.h"
#include "meta/sqlite_wal_mark.h"
#include "millrace/file_system.h"
#include "millrace/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace millrace {

class SqliteDatabase;

/// A prepared statement in use: bind from the left, step, read columns. Reset when destroyed. Column values live until
/// the next Step.
class SqliteStatement {
 public:
  SqliteStatement(SqliteDatabase& database, sqlite3_stmt* statement) : database_(&database), statement_(statement) {}
  SqliteStatement(SqliteStatement&& other) noexcept
      : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)), bound_(other.bound_) {}
  SqliteStatement& operator=(SqliteStatement&&) = delete;
  ~SqliteStatement();

  SqliteStatement& Bind(std::int64_t value);
  SqliteStatement& Bind(std::optional<std::int64_t> value);
  SqliteStatement& Bind(std::span<const std::byte> blob);  // the bytes stay until the statement is done
  /// True: a row is there; false: done.
  Result<bool> Step();
  /// For statements without rows.
  Result<void> Run();
  [[nodiscard]] std::int64_t Integer(int column) const;
  [[nodiscard]] bool IsNull(int column) const;
  [[nodiscard]] std::span<const std::byte> Blob(int column) const;

 private:
  SqliteDatabase* database_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

/// kServe: the file exists and is ours alone; every commit is durable. kBuild: a new file unknown to others, nothing
/// durable before it is closed and synced by the caller.
enum class SqlitePurpose { kServe, kBuild };

/// Not thread-safe: its owner has a mutex.
class SqliteDatabase {
 public:
  /// Opens the file and sets the connection up: WAL journal, synchronous=FULL, exclusive. What an earlier process left
  /// in the -wal file is checked against its mark and taken into the database file. Errors: kUnavailable (held by
  /// another process, I/O), kOutOfSpace, kCorruption.
  static Result<std::unique_ptr<SqliteDatabase>> Open(const std::filesystem::path& path, FileSystem& file_system,
                                                      SqlitePurpose purpose);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  /// `sql` is a literal: its address is the key of the statement cache.
  Result<SqliteStatement> Prepare(const char* sql);
  /// One or more statements without parameters or rows.
  Result<void> Execute(const char* sql);
  Result<std::int64_t> QueryInteger(const char* sql);

  /// Runs `body` in one transaction: committed and synced if it succeeds, rolled back otherwise; a second time, on the
  /// space kept in reserve, if the disk was full. After an error of the
  /// commit itself the outcome is unknown.
  Result<void> Transact(const std::function<Result<void>()>& body);
  /// Moves everything from the -wal file into the database file, synced, and empties it.
  Result<void> Checkpoint();
  /// Checkpoints and closes; no -wal file remains. A second call does nothing.
  Result<void> Close();

  /// kClosed after Close.
  [[nodiscard]] Result<void> CheckOpen() const;
  /// Before a read. After a failed sync nothing may be synced again through the same handles, and what a connection
  /// says of a commit that failed is not what the next one finds: it is reopened, and from then on reads tell what
  /// stands.
  Result<void> Heal();
  /// By the statement that ran last.
  [[nodiscard]] std::int64_t RowsChanged() const;
  /// The error of the SQLite call that just gave `code`.
  Error Failure(int code);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  SqliteDatabase(std::filesystem::path path, FileSystem& file_system, SqlitePurpose purpose)
      : path_(std::move(path)), file_system_(file_system), purpose_(purpose), vfs_(file_system) {}
  Result<void> OpenConnection();
  Result<void> TransactOnce(const std::function<Result<void>()>& body);
  /// A full disk must not stop uploads, and what they free has to be written down first: a file keeps space for that.
  void TakeReserve();
  bool GiveUpReserve();
  void CloseConnection();
  static int OnCommit(void* self, sqlite3* connection, const char* name, int frames);

  const std::filesystem::path path_;
  FileSystem& file_system_;
  const SqlitePurpose purpose_;
  SqliteVfs vfs_;
  std::unique_ptr<SqliteWalMark> mark_;
  sqlite3* connection_ = nullptr;
  std::map<const char*, sqlite3_stmt*> statements_;
  std::uint64_t wal_frames_ = 0;
  bool open_ = false, reserved_ = false;
};

}  // namespace millrace
