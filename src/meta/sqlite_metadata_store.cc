#include "meta/sqlite_metadata_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/try.h"
#include "env/system_clock.h"
#include "meta/metadata_rows.h"
#include "meta/row_codec.h"
#include "meta/sqlite_database.h"
#include "meta/sqlite_schema.h"
#include "meta/sqlite_tables.h"
#include "millrace/bytes.h"

namespace millrace {

SqliteMetadataStore::SqliteMetadataStore(std::unique_ptr<FileLock> lock, std::unique_ptr<SqliteDatabase> database,
                                         Clock* clock)
    : clock_(clock), lock_(std::move(lock)), database_(std::move(database)), changes_(*database_) {}

SqliteMetadataStore::~SqliteMetadataStore() = default;

Result<std::unique_ptr<SqliteMetadataStore>> SqliteMetadataStore::Open(const std::filesystem::path& path,
                                                                       FileSystem& file_system, Clock* clock) {
  MR_TRY(file_system.CreateDirectories(path.parent_path()));
  const std::string holder = fmt::format("process {}", ::getpid());
  MR_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> lock, file_system.Lock(path.string() + "-lock", holder));
  auto present = file_system.Open(path, {});
  if (!present && present.error().code() == ErrorCode::kNotFound) {
    MR_TRY(CreateSqliteFile(path, file_system));
  } else if (!present) {
    return std::move(present).error();
  } else {
    MR_ASSIGN_OR_RETURN(const std::uint64_t size, (*present)->Size());
    if (size == 0) {  // SQLite would take it for a new one
      return Error(ErrorCode::kCorruption, fmt::format("metadata: {} is empty", path.string()))
          .WithDamage({{}, {}, {}, path.string(), 0, 0});
    }
  }
  MR_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                      SqliteDatabase::Open(path, file_system, SqlitePurpose::kServe));
  MR_TRY(MigrateSqlite(*database));
  return std::unique_ptr<SqliteMetadataStore>(new SqliteMetadataStore(std::move(lock), std::move(database), clock));
}

Result<void> SqliteMetadataStore::Close() {
  MutexLock lock(mutex_);
  auto closed = database_->Close();
  lock_.reset();
  return closed;
}

std::int64_t SqliteMetadataStore::WallMs() const {
  return clock_ == nullptr ? SystemClock().WallMs() : clock_->WallMs();
}

Result<std::int64_t> SqliteMetadataStore::NowMs() {
  MutexLock lock(mutex_);
  MR_TRY(database_->CheckOpen());
  return WallMs();
}

// Reads.

template <class Key>
Result<std::optional<MetadataRow>> SqliteMetadataStore::GetRow(const Key& key) {
  MR_ASSIGN_OR_RETURN(SqliteStatement find, database_->Prepare(SqlOf<KeySql<Key>>().get.c_str()));
  BindKey(find, key);
  MR_ASSIGN_OR_RETURN(const bool found, find.Step());
  if (!found) return std::optional<MetadataRow>();
  MR_ASSIGN_OR_RETURN(auto row, ReadRow<typename KeySpec<Key>::RowType>(*database_, find));
  return std::optional<MetadataRow>(std::move(row));
}

Result<std::vector<std::optional<MetadataRow>>> SqliteMetadataStore::Get(std::span<const MetadataKey> keys) {
  MutexLock lock(mutex_);
  MR_TRY(database_->Heal());
  std::vector<std::optional<MetadataRow>> rows;
  rows.reserve(keys.size());
  for (const MetadataKey& key : keys) {
    MR_ASSIGN_OR_RETURN(auto row, std::visit(
                                      [&](const auto& each) MR_REQUIRES(mutex_) -> Result<std::optional<MetadataRow>> {
                                        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, EndOfTable>) {
                                          return KeyNotTaken("Get", key);
                                        } else {
                                          return GetRow(each);
                                        }
                                      },
                                      key));
    rows.push_back(std::move(row));
  }
  return rows;
}

template <class Key>
Result<std::vector<MetadataRow>> SqliteMetadataStore::ScanRows(const Key& from, const MetadataKey& to,
                                                               std::size_t max) {
  using Row = typename KeySpec<Key>::RowType;
  const Key* end = std::get_if<Key>(&to);
  const KeySql<Key>& sql = SqlOf<KeySql<Key>>();
  MR_ASSIGN_OR_RETURN(SqliteStatement page, database_->Prepare(end ? sql.scan_to.c_str() : sql.scan_all.c_str()));
  BindKey(page, from);
  if (end != nullptr) BindKey(page, *end);
  page.Bind(SqliteLimit(max));
  std::vector<MetadataRow> rows;
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, page.Step());
    if (!more) return rows;
    MR_ASSIGN_OR_RETURN(Row row, ReadRow<Row>(*database_, page));
    rows.emplace_back(std::move(row));
  }
}

Result<std::vector<MetadataRow>> SqliteMetadataStore::Scan(const MetadataKey& from, const MetadataKey& to,
                                                           std::size_t max) {
  MR_TRY(CheckScan(from, to));
  MutexLock lock(mutex_);
  MR_TRY(database_->Heal());
  return std::visit(
      [&](const auto& each) MR_REQUIRES(mutex_) -> Result<std::vector<MetadataRow>> {
        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, EndOfTable>) {
          return KeyNotTaken("Scan", from);
        } else {
          return ScanRows(each, to, max);
        }
      },
      from);
}

// The write.

Result<bool> SqliteMetadataStore::IsAsExpected(const MetadataRow& row) {
  return std::visit(
      [&](const auto& each) MR_REQUIRES(mutex_) -> Result<bool> {
        using Row = std::decay_t<decltype(each)>;
        MR_ASSIGN_OR_RETURN(const auto found, GetRow(TableSpec<Row>::KeyOf(each)));
        const Row* present = found ? std::get_if<Row>(&*found) : nullptr;
        return present != nullptr && *present == each;
      },
      row);
}

Result<bool> SqliteMetadataStore::Write(const MetadataWrite& write) {
  return std::visit(
      [&](const auto& each) MR_REQUIRES(mutex_) -> Result<bool> {
        using Row = std::decay_t<decltype(each)>;
        using Key = std::decay_t<decltype(TableSpec<Row>::KeyOf(each))>;
        if (write.kind == MetadataWrite::Kind::kErase) {
          const Key key = TableSpec<Row>::KeyOf(each);
          MR_ASSIGN_OR_RETURN(SqliteStatement erase, database_->Prepare(SqlOf<KeySql<Key>>().erase.c_str()));
          BindKey(erase, key);
          MR_TRY(erase.Run());
          return true;
        }
        const bool insert = write.kind == MetadataWrite::Kind::kInsert;
        const WriteSql<Row>& sql = SqlOf<WriteSql<Row>>();
        MR_ASSIGN_OR_RETURN(SqliteStatement put, database_->Prepare(insert ? sql.insert.c_str() : sql.put.c_str()));
        BindRow(put, each);
        MR_TRY(put.Run());
        return !insert || database_->RowsChanged() == 1;
      },
      write.row);
}

Result<bool> SqliteMetadataStore::CheckAndWrite(std::span<const MetadataRow> expected,
                                                std::span<const MetadataWrite> writes) {
  for (const MetadataRow& row : expected) {
    MR_ASSIGN_OR_RETURN(const bool is_so, IsAsExpected(row));
    if (!is_so) return false;
  }
  for (const MetadataWrite& write : writes) {
    MR_ASSIGN_OR_RETURN(const bool written, Write(write));
    if (!written) return false;
  }
  return true;
}

Result<std::optional<ChangeNumber>> SqliteMetadataStore::Commit(std::span<const MetadataRow> expected,
                                                                std::span<const MetadataWrite> writes) {
  const std::int64_t now_ms = WallMs();
  MutexLock lock(mutex_);
  MR_TRY(database_->CheckOpen());
  bool as_expected = false;
  ChangeNumber last;
  auto committed = database_->Transact([&]() MR_REQUIRES(mutex_) -> Result<void> {
    MR_ASSIGN_OR_RETURN(as_expected, CheckAndWrite(expected, writes));
    if (!as_expected) return Error(ErrorCode::kFenced, "metadata: a row is not as expected");  // rolls back
    MR_ASSIGN_OR_RETURN(last, changes_.Note(writes, now_ms));
    return {};
  });
  if (committed) return std::optional(last);
  if (!as_expected && committed.error().code() == ErrorCode::kFenced) return std::optional<ChangeNumber>();
  return committed.error();
}

Result<std::vector<MetadataChange>> SqliteMetadataStore::Changes(ChangeNumber after, std::size_t max) {
  MutexLock lock(mutex_);
  MR_TRY(database_->Heal());
  return changes_.After(after, max);
}

}  // namespace millrace
