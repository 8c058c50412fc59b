// All rows of a table, page by page.
#pragma once

#include <cstddef>
#include <optional>

#include "base/try.h"
#include "meta/find_row.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// Calls `visit` with every row from `from` on, in the order of keys. Rows that are written meanwhile are seen or not.
/// Cost: a scan for each 10,000 rows, which are in memory meanwhile.
template <class Key, class Visit>
Result<void> EveryRow(MetadataStore& store, const Key& from, const Visit& visit) {
  using Row = typename KeySpec<Key>::RowType;
  constexpr std::size_t kPage = 10'000;
  std::optional<Key> last;  // seen: the next page begins with it
  for (;;) {
    MR_ASSIGN_OR_RETURN(const auto rows, ScanRows(store, last ? *last : from, EndOfTable{}, kPage));
    for (const Row& row : rows) {
      Key key = TableSpec<Row>::KeyOf(row);
      if (last && key == *last) continue;
      visit(row);
    }
    if (rows.size() < kPage) return {};
    last = TableSpec<Row>::KeyOf(rows.back());
  }
}

}  // namespace millrace
