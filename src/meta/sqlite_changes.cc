#include "meta/sqlite_changes.h"

#include <algorithm>
#include <limits>

#include "base/try.h"
#include "meta/metadata_rows.h"
#include "meta/row_codec.h"
#include "meta/sqlite_database.h"
#include "meta/sqlite_tables.h"

namespace millrace {
namespace {

/// Changes are pruned after so many new ones: rows of old commits lie together, and so go for a few pages.
constexpr std::int64_t kPruneEvery = 256;

constexpr const char* kLastCommitSql =
    "SELECT last, count, committed_ms, keys, crc FROM changes ORDER BY last DESC LIMIT 1";
constexpr const char* kFirstCommitsSql =
    "SELECT last, count, committed_ms, keys, crc FROM changes ORDER BY last LIMIT ?";
constexpr const char* kCommitsAfterSql =
    "SELECT last, count, committed_ms, keys, crc FROM changes WHERE last > ? ORDER BY last LIMIT ?";
constexpr const char* kPruneSql = "DELETE FROM changes WHERE last <= ?";

}  // namespace

std::int64_t SqliteLimit(std::size_t max) {
  return static_cast<std::int64_t>(std::min<std::size_t>(max, std::numeric_limits<std::int64_t>::max()));
}

Result<ChangeNumber> SqliteChanges::Last() {
  MR_ASSIGN_OR_RETURN(SqliteStatement find, database_.Prepare(kLastCommitSql));
  MR_ASSIGN_OR_RETURN(const bool found, find.Step());
  if (!found) return ChangeNumber(0);
  MR_ASSIGN_OR_RETURN(const CommitRow row, ReadRow<CommitRow>(database_, find));
  return row.last;
}

Result<ChangeNumber> SqliteChanges::First(ChangeNumber last) {
  MR_ASSIGN_OR_RETURN(SqliteStatement oldest, database_.Prepare(kFirstCommitsSql));
  oldest.Bind(std::int64_t{1});
  MR_ASSIGN_OR_RETURN(const bool any, oldest.Step());
  if (!any) return ChangeNumber(last.value() + 1);
  MR_ASSIGN_OR_RETURN(const CommitRow row, ReadRow<CommitRow>(database_, oldest));
  return ChangeNumber(row.last.value() - row.count + 1);
}

Result<ChangeNumber> SqliteChanges::Note(std::span<const MetadataWrite> writes, std::int64_t now_ms) {
  MR_ASSIGN_OR_RETURN(const ChangeNumber before, Last());
  CommitRow commit;
  commit.committed_ms = now_ms;
  for (const MetadataWrite& write : writes) {
    const MetadataKey key = KeyOf(write.row);
    if (!IsNumbered(key)) continue;
    commit.keys += EncodeKey(key);
    ++commit.count;
  }
  if (commit.count == 0) return before;
  commit.last = ChangeNumber(before.value() + commit.count);
  {
    MR_ASSIGN_OR_RETURN(SqliteStatement put, database_.Prepare(SqlOf<WriteSql<CommitRow>>().put.c_str()));
    BindRow(put, commit);
    MR_TRY(put.Run());
  }
  noted_ += commit.count;
  if (noted_ >= kPruneEvery) MR_TRY(Prune(commit.last, now_ms));
  return commit.last;
}

/// Looks at as many rows as changes were noted since pruning was done last, and as a row holds at least one change,
/// there are never many more than kChangesKept. The row of the last commit stays.
Result<ChangeNumber> SqliteChanges::EndOfPrunable(ChangeNumber last, std::int64_t now_ms) {
  MR_ASSIGN_OR_RETURN(SqliteStatement oldest, database_.Prepare(kFirstCommitsSql));
  oldest.Bind(noted_);
  ChangeNumber end(0);
  for (;;) {
    MR_ASSIGN_OR_RETURN(const bool more, oldest.Step());
    if (!more) return end;
    MR_ASSIGN_OR_RETURN(const CommitRow row, ReadRow<CommitRow>(database_, oldest));
    const bool old = row.committed_ms < now_ms - kChangesKeptMs;
    if (row.last >= last || (!old && last.value() - row.last.value() < kChangesKept)) return end;
    end = row.last;
  }
}

Result<void> SqliteChanges::Prune(ChangeNumber last, std::int64_t now_ms) {
  MR_ASSIGN_OR_RETURN(const ChangeNumber end, EndOfPrunable(last, now_ms));
  noted_ = 0;
  if (end == ChangeNumber(0)) return {};
  MR_ASSIGN_OR_RETURN(SqliteStatement prune, database_.Prepare(kPruneSql));
  return prune.Bind(end.value()).Run();
}

Result<std::vector<MetadataChange>> SqliteChanges::After(ChangeNumber after, std::size_t max) {
  MR_ASSIGN_OR_RETURN(const ChangeNumber last, Last());
  MR_ASSIGN_OR_RETURN(const ChangeNumber first, First(last));
  MR_TRY(CheckChangesAfter(after, first, last));
  MR_ASSIGN_OR_RETURN(SqliteStatement commits, database_.Prepare(kCommitsAfterSql));
  commits.Bind(after.value()).Bind(SqliteLimit(max));
  std::vector<MetadataChange> found;
  while (found.size() < max) {
    MR_ASSIGN_OR_RETURN(const bool more, commits.Step());
    if (!more) break;
    MR_ASSIGN_OR_RETURN(const CommitRow row, ReadRow<CommitRow>(database_, commits));
    MR_TRY(AppendChanges(row, after, max, found));
  }
  return found;
}

}  // namespace millrace
