// The numbered list of what was committed to a SQLite store, in the order of its commits: one row a commit, kept for
// kChangesKeptMs and about kChangesKept changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

class SqliteDatabase;

/// What a LIMIT takes.
std::int64_t SqliteLimit(std::size_t max);

/// Not thread-safe; the caller owns the database's transaction. `database` outlives it.
class SqliteChanges {
 public:
  explicit SqliteChanges(SqliteDatabase& database) : database_(database) {}

  /// Notes what `writes` change, in the transaction that writes them. Returns the number of the last change.
  Result<ChangeNumber> Note(std::span<const MetadataWrite> writes, std::int64_t now_ms);
  /// At most `max` changes behind `after`. Errors: kOutOfRange (they are kept no longer, or `after` is ahead), and
  /// those of the database.
  Result<std::vector<MetadataChange>> After(ChangeNumber after, std::size_t max);

 private:
  /// 0: nothing was committed yet.
  Result<ChangeNumber> Last();
  /// The oldest change that is kept; the one behind `last` if there is none.
  Result<ChangeNumber> First(ChangeNumber last);
  Result<void> Prune(ChangeNumber last, std::int64_t now_ms);
  /// The last commit whose row is kept no longer; 0: there is none.
  Result<ChangeNumber> EndOfPrunable(ChangeNumber last, std::int64_t now_ms);

  SqliteDatabase& database_;
  std::int64_t noted_ = 0;  // changes since the last pruning
};

}  // namespace millrace
