// A listing in two spellings: for people aligned columns with units under a heading; for programs tab-separated plain
// values and no heading.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// One value in both spellings.
struct Cell {
  std::string plain;   // for programs
  std::string pretty;  // for people
  bool number = false;

  static Cell Text(std::string_view text);
  static Cell Count(std::uint64_t count);
  static Cell Number(std::int64_t number);  // an offset, an id: no separators
  static Cell Bytes(std::uint64_t bytes);
  static Cell Time(std::int64_t time_ms);
};

class Table {
 public:
  explicit Table(std::vector<std::string_view> headings) : headings_(std::move(headings)) {}
  void Add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  /// Tabs, newlines and backslashes in values are escaped, so that a line is a row.
  void AppendPlain(std::string& out) const;
  void AppendPretty(std::string& out) const;

 private:
  std::vector<std::string_view> headings_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace millrace
