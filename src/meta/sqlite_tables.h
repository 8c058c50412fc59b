// SQL texts of a table, the binding of its rows and keys, and their reading: all from its TableSpec. Each row ends in a
// CRC-32C over its table and all its other columns, so that a row stands on its own wherever the page around it came
// from.
#pragma once

#include <cstdint>
#include <string>

#include "meta/row_codec.h"
#include "meta/sqlite_database.h"
#include "meta/table_spec.h"
#include "millrace/result.h"

namespace millrace {

/// "a, b, c" and "?,?,?" of what it visits.
struct ColumnList {
  void Column(const char* name, const auto& /*field*/) {
    names += (count++ == 0 ? "" : ", ") + std::string(name);
    marks += count == 1 ? "?" : ",?";
  }
  void Trailing(const char* name, const auto& field) { Column(name, field); }
  void Following(const char* name, const auto& field, bool /*is_there*/) { Column(name, field); }
  std::string names, marks;
  int count = 0;
};

struct StatementBinder {
  void Column(const char* /*name*/, const auto& field) { statement.Bind(CellOf(field)); }
  void Trailing(const char* /*name*/, const auto& field) {
    statement.Bind(CellOf(field) == 0 ? std::nullopt : std::optional(CellOf(field)));
  }
  void Following(const char* name, const auto& field, bool is_there) {
    if (is_there) return Column(name, field);
    statement.Bind(std::optional<std::int64_t>());
  }
  SqliteStatement& statement;
};

struct StatementReader {
  void Column(const char* /*name*/, auto& field) {
    using Cell = decltype(CellOf(field));
    if constexpr (std::is_same_v<Cell, std::int64_t>) {
      SetCell(field, statement.Integer(column));
    } else if constexpr (std::is_same_v<Cell, std::optional<std::int64_t>>) {
      SetCell(field, statement.IsNull(column) ? std::nullopt : std::optional(statement.Integer(column)));
    } else {
      SetCell(field, statement.Blob(column));
    }
    ++column;
  }
  void Trailing(const char* name, auto& field) { Column(name, field); }  // of a null: 0
  void Following(const char* name, auto& field, bool /*is_there*/) { Column(name, field); }
  const SqliteStatement& statement;
  int column = 0;
};

template <class Row>
std::string SelectSql() {
  ColumnList columns;
  const Row row{};
  TableSpec<Row>::Columns(row, columns);
  return "SELECT " + columns.names + ", crc FROM " + std::string(TableSpec<Row>::kName);
}

/// INSERT OR IGNORE and REPLACE of a whole row.
template <class Row>
struct WriteSql {
  WriteSql() {
    ColumnList columns;
    const Row row{};
    TableSpec<Row>::Columns(row, columns);
    const std::string rest = " INTO " + std::string(TableSpec<Row>::kName) + " (" + columns.names + ", crc) VALUES (" +
                             columns.marks + ",?)";
    insert = "INSERT OR IGNORE" + rest;
    put = "REPLACE" + rest;
  }
  std::string insert, put;
};

/// Statements by one order of a table. Row values are compared as the key's bytes are.
template <class Key>
struct KeySql {
  KeySql() {
    using Row = typename KeySpec<Key>::RowType;
    ColumnList columns;
    const Key key{};
    KeySpec<Key>::Columns(key, columns);
    const std::string names = "(" + columns.names + ")", marks = "(" + columns.marks + ")";
    const std::string from = SelectSql<Row>() + " WHERE " + names + " >= " + marks;
    const std::string order = " ORDER BY " + columns.names + " LIMIT ?";
    get = SelectSql<Row>() + " WHERE " + names + " = " + marks;
    erase = "DELETE FROM " + std::string(TableSpec<Row>::kName) + " WHERE " + names + " = " + marks;
    scan_to = from + " AND " + names + " < " + marks + order;
    scan_all = from + order;
  }
  std::string get, erase, scan_to, scan_all;
};

/// Made once, so that a text's address names its statement.
template <class Sql>
const Sql& SqlOf() {
  static const Sql sql;
  return sql;
}

template <class Key>
void BindKey(SqliteStatement& statement, const Key& key) {
  KeySpec<Key>::Columns(key, StatementBinder{statement});
}

template <class Row>
void BindRow(SqliteStatement& statement, const Row& row) {
  TableSpec<Row>::Columns(row, StatementBinder{statement});
  statement.Bind(CrcOf(row));
}

/// kCorruption: the row of `which` fails its CRC.
Error RowDamaged(const SqliteDatabase& database, const std::string& which, std::int64_t stored, std::int64_t found);

/// The row that a SelectSql stands at. kCorruption, naming the file and the row.
template <class Row>
Result<Row> ReadRow(const SqliteDatabase& database, const SqliteStatement& statement) {
  Row row;
  StatementReader reader{statement};
  TableSpec<Row>::Columns(row, reader);
  const std::int64_t stored = statement.Integer(reader.column), found = CrcOf(row);
  if (found == stored) [[likely]]
    return row;
  if constexpr (requires { TableSpec<Row>::KeyOf(row); }) {
    return RowDamaged(database, KeyText(TableSpec<Row>::KeyOf(row)), stored, found);
  } else {
    return RowDamaged(database, std::string(TableSpec<Row>::kName), stored, found);
  }
}

}  // namespace millrace
