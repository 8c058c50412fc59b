// Rows of one table, typed.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "base/try.h"
#include "meta/table_spec.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// None: there is no such row.
template <class Key>
Result<std::optional<typename KeySpec<Key>::RowType>> FindRow(MetadataStore& store, const Key& key) {
  using Row = typename KeySpec<Key>::RowType;
  const MetadataKey wanted(key);
  MR_ASSIGN_OR_RETURN(auto rows, store.Get({&wanted, 1}));
  Row* row = rows.size() == 1 && rows[0] ? std::get_if<Row>(&*rows[0]) : nullptr;
  return row == nullptr ? std::optional<Row>() : std::optional<Row>(std::move(*row));
}

/// Those that are there, in the order of `keys`.
template <class Key>
Result<std::vector<typename KeySpec<Key>::RowType>> FindRows(MetadataStore& store, const std::vector<Key>& keys) {
  using Row = typename KeySpec<Key>::RowType;
  std::vector<Row> found;
  if (keys.empty()) return found;
  MR_ASSIGN_OR_RETURN(auto rows, store.Get(std::vector<MetadataKey>(keys.begin(), keys.end())));
  for (auto& row : rows)
    if (row) found.push_back(std::get<Row>(*std::move(row)));
  return found;
}

template <class Key>
Result<std::vector<typename KeySpec<Key>::RowType>> ScanRows(MetadataStore& store, const Key& from,
                                                             const MetadataKey& to, std::size_t max) {
  using Row = typename KeySpec<Key>::RowType;
  MR_ASSIGN_OR_RETURN(auto rows, store.Scan(from, to, max));
  std::vector<Row> found;
  found.reserve(rows.size());
  for (MetadataRow& row : rows) found.push_back(std::get<Row>(std::move(row)));
  return found;
}

}  // namespace millrace
