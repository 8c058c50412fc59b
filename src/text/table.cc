#include "text/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/units.h"

namespace millrace {
namespace {

/// Columns a terminal needs for it: continuation bytes take none.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void AppendEscaped(std::string& out, std::string_view text) {
  for (char c : text) {
    if (c == '\t') {
      out += "\\t";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
}

}  // namespace

Cell Cell::Text(std::string_view text) { return {std::string(text), std::string(text), false}; }
Cell Cell::Count(std::uint64_t count) { return {fmt::format("{}", count), FormatCount(count), true}; }
Cell Cell::Number(std::int64_t number) {
  std::string text = fmt::format("{}", number);
  return {text, text, true};
}
Cell Cell::Bytes(std::uint64_t bytes) { return {fmt::format("{}", bytes), FormatBytes(bytes), true}; }
Cell Cell::Time(std::int64_t time_ms) { return {fmt::format("{}", time_ms), FormatTime(time_ms), false}; }

void Table::AppendPlain(std::string& out) const {
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += '\t';
      AppendEscaped(out, row[i].plain);
    }
    out += '\n';
  }
}

void Table::AppendPretty(std::string& out) const {
  std::vector<std::size_t> widths;
  for (std::string_view heading : headings_) widths.push_back(Width(heading));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i].pretty));
  }
  const auto append = [&](std::size_t i, std::string_view text, bool right, bool last) {
    std::string padding(widths[i] - Width(text), ' ');
    if (i > 0) out += "  ";
    if (right) out += padding;
    out += text;
    if (!right && !last) out += padding;
  };
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    bool right = !rows_.empty() && rows_.front()[i].number;
    append(i, headings_[i], right, i + 1 == headings_.size());
  }
  out += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) append(i, row[i].pretty, row[i].number, i + 1 == row.size());
    out += '\n';
  }
}

}  // namespace millrace
