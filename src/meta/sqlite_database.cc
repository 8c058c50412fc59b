#include "meta/sqlite_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <limits>

#include "base/check.h"
#include "base/try.h"

namespace millrace {
namespace {

// Order matters: exclusive before the journal mode, or SQLite asks for shared memory. The cache does not spill, so a
// frame is written once and its checksum stands.
constexpr const char* kSettings =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA cache_spill=OFF;"
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA foreign_keys=OFF;"
    "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA busy_timeout=5000; PRAGMA cache_size=-8192;";
constexpr const char* kBuildSettings =
    "PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;"
    "PRAGMA temp_store=MEMORY;";
constexpr std::uint64_t kReserveBytes = 1 << 20;
constexpr std::uint64_t kCheckpointFrames = 1000;  // 4 MiB of -wal file

ErrorCode CodeOf(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::kOutOfSpace;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorruption;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_INTERRUPT:
      return ErrorCode::kUnavailable;
    case SQLITE_NOMEM:
      return ErrorCode::kUnavailable;
    // The schema is ours and the statements are literals: what does not fit them was changed on disk.
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_FORMAT:
      return ErrorCode::kCorruption;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

SqliteStatement::~SqliteStatement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

SqliteStatement& SqliteStatement::Bind(std::int64_t value) {
  MR_CHECK(sqlite3_bind_int64(statement_, ++bound_, value) == SQLITE_OK, bound_);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(std::optional<std::int64_t> value) {
  if (value) return Bind(*value);
  MR_CHECK(sqlite3_bind_null(statement_, ++bound_) == SQLITE_OK, bound_);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(std::span<const std::byte> blob) {
  // A null pointer would bind NULL; an empty blob is not null.
  const void* bytes = blob.empty() ? "" : static_cast<const void*>(blob.data());
  MR_CHECK(sqlite3_bind_blob64(statement_, ++bound_, bytes, blob.size(), SQLITE_STATIC) == SQLITE_OK, bound_);
  return *this;
}

Result<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->Failure(code);
}

Result<void> SqliteStatement::Run() {
  MR_ASSIGN_OR_RETURN(const bool row, Step());
  MR_CHECK(!row);
  return {};
}

std::int64_t SqliteStatement::Integer(int column) const { return sqlite3_column_int64(statement_, column); }

bool SqliteStatement::IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

std::span<const std::byte> SqliteStatement::Blob(int column) const {
  const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? std::span<const std::byte>() : std::span(bytes, static_cast<std::size_t>(size));
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::filesystem::path& path, FileSystem& file_system,
                                                             SqlitePurpose purpose) {
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path, file_system, purpose));
  MR_TRY(database->OpenConnection());
  return database;
}

SqliteDatabase::~SqliteDatabase() { CloseConnection(); }

Result<void> SqliteDatabase::OpenConnection() {
  const bool build = purpose_ == SqlitePurpose::kBuild;
  if (!build) {
    MR_ASSIGN_OR_RETURN(mark_, SqliteWalMark::Open(path_, file_system_));
  }
  const int flags =
      SQLITE_OPEN_READWRITE | (build ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path_.c_str(), &connection_, flags, vfs_.name());
  open_ = true;
  if (code != SQLITE_OK) return Failure(code);
  sqlite3_limit(connection_, SQLITE_LIMIT_LENGTH, 16 << 20);
  int reserved = kSqliteReservedBytes;
  MR_CHECK(sqlite3_file_control(connection_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved) == SQLITE_OK);
  if (build) return Execute(kBuildSettings);
  // SQLite's own checkpoint at close would go past the mark.
  MR_CHECK(sqlite3_db_config(connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr) == SQLITE_OK);
  MR_TRY(Execute(kSettings));
  sqlite3_wal_hook(connection_, OnCommit, this);
  MR_ASSIGN_OR_RETURN(const std::optional<SqliteWalExtent> left,
                      MeasureSqliteWal(file_system_, path_.string() + "-wal"));
  if (!left) return {};
  // What an earlier process left is taken in now, so that its frames and ours never share a -wal file. A full disk must
  // not keep readers out: then the frames stay where they are.
  auto taken_in = Checkpoint();
  if (!taken_in && taken_in.error().code() != ErrorCode::kOutOfSpace) return taken_in;
  return {};
}

void SqliteDatabase::CloseConnection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  statements_.clear();
  if (connection_ != nullptr) MR_CHECK(sqlite3_close(connection_) == SQLITE_OK);
  connection_ = nullptr;
  open_ = false;
}

Result<void> SqliteDatabase::CheckOpen() const {
  if (!open_) return Error(ErrorCode::kClosed, "metadata: the store is closed");
  return {};
}

std::int64_t SqliteDatabase::RowsChanged() const { return sqlite3_changes64(connection_); }

Result<void> SqliteDatabase::Heal() {
  MR_TRY(CheckOpen());
  if (connection_ != nullptr && !vfs_.broken()) return {};
  CloseConnection();
  open_ = true;
  vfs_.ClearBroken();
  auto reopened = OpenConnection();
  if (!reopened) {
    CloseConnection();
    open_ = true;
  }
  return reopened;
}

Error SqliteDatabase::Failure(int code) {
  if (auto error = vfs_.TakeError()) return *std::move(error);
  const char* why = connection_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection_);
  Error error(CodeOf(code), fmt::format("metadata: {}: {} (SQLite {})", path_.string(), why, code));
  if (error.code() == ErrorCode::kCorruption) return error.WithDamage({{}, {}, {}, path_.string(), 0, 0});
  return error;
}

Result<SqliteStatement> SqliteDatabase::Prepare(const char* sql) {
  if (connection_ == nullptr) MR_TRY(Heal());
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int code = sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return Failure(code);
  }
  return SqliteStatement(*this, statement);
}

Result<void> SqliteDatabase::Execute(const char* sql) {
  const int code = sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Failure(code);
  return {};
}

Result<std::int64_t> SqliteDatabase::QueryInteger(const char* sql) {
  MR_ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  MR_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Integer(0) : 0;
}

void SqliteDatabase::TakeReserve() {
  if (reserved_) return;
  const std::filesystem::path path = path_.string() + "-reserve";
  auto file = file_system_.Open(path, {FileAccess::kReadWrite, FileCreation::kOpenOrCreate});
  if (!file) return;
  reserved_ = (*file)->Allocate(kReserveBytes).has_value();
  if (!reserved_) (void)file_system_.Remove(path);
}

bool SqliteDatabase::GiveUpReserve() {
  reserved_ = false;
  return file_system_.Remove(path_.string() + "-reserve").has_value();
}

Result<void> SqliteDatabase::Transact(const std::function<Result<void>()>& body) {
  MR_TRY(Heal());
  Result<void> outcome = TransactOnce(body);
  bool short_of_space = false;
  if (!outcome && outcome.error().code() == ErrorCode::kOutOfSpace && !vfs_.broken() && GiveUpReserve()) {
    short_of_space = true;
    outcome = TransactOnce(body);
  }
  if (!outcome) return outcome;
  // The commit stands whatever becomes of the checkpoint; a failed one is tried again after the next commit. Short of
  // space it is made at once: the -wal file's bytes are the next commit's.
  if ((short_of_space || wal_frames_ >= kCheckpointFrames) && !Checkpoint()) (void)vfs_.TakeError();
  if (purpose_ == SqlitePurpose::kServe) TakeReserve();
  return {};
}

Result<void> SqliteDatabase::TransactOnce(const std::function<Result<void>()>& body) {
  if (mark_) MR_TRY(mark_->WithdrawIfDoubtful());
  MR_TRY(Execute("BEGIN IMMEDIATE"));
  Result<void> outcome = body();
  if (outcome) outcome = Execute("COMMIT");
  if (outcome) return {};
  if (sqlite3_get_autocommit(connection_) == 0) (void)Execute("ROLLBACK");
  (void)vfs_.TakeError();
  return outcome;
}

int SqliteDatabase::OnCommit(void* self, sqlite3*, const char*, int frames) {
  auto& database = *static_cast<SqliteDatabase*>(self);
  database.wal_frames_ = static_cast<std::uint64_t>(frames);
  // A mark that cannot be written promises less than it could, and that is all.
  (void)database.mark_->Committed(database.wal_frames_);
  return SQLITE_OK;
}

Result<void> SqliteDatabase::Checkpoint() {
  mark_->CheckpointBegins();
  int code = sqlite3_wal_checkpoint_v2(connection_, "main", SQLITE_CHECKPOINT_FULL, nullptr, nullptr);
  if (code != SQLITE_OK) return Failure(code);
  MR_TRY(mark_->Checkpointed());
  code = sqlite3_wal_checkpoint_v2(connection_, "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK) return Failure(code);
  wal_frames_ = 0;
  return {};
}

Result<void> SqliteDatabase::Close() {
  if (!open_) return {};
  Result<void> outcome = Heal();
  // A built file is turned to the WAL journal last: that is a mark in its header.
  if (outcome) outcome = purpose_ == SqlitePurpose::kBuild ? Execute("PRAGMA journal_mode=WAL") : Checkpoint();
  CloseConnection();
  mark_.reset();
  if (outcome && purpose_ == SqlitePurpose::kServe) outcome = file_system_.Remove(path_.string() + "-wal");
  if (!outcome && outcome.error().code() == ErrorCode::kNotFound) outcome = {};
  return outcome;
}

}  // namespace millrace
