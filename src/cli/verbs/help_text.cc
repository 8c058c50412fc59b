#include "cli/verbs/help_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "cli/verbs/command_table.h"

namespace millrace {
namespace {

constexpr std::size_t kLineWidth = 100;
constexpr std::size_t kColumnMax = 30;

using Row = std::pair<std::string, std::string>;

/// `text` in lines of at most kLineWidth, each after the first indented.
std::string Wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    std::size_t length = std::min(text.find(' '), text.size());
    if (column > indent && column + 1 + length > kLineWidth) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, length);
    column += length;
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return out;
}

std::string Rows(std::string_view heading, const std::vector<Row>& rows) {
  if (rows.empty()) return {};
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, std::min(row.first.size(), kColumnMax));
  std::string out = fmt::format("\n{}:\n", heading);
  for (const auto& [left, right] : rows) {
    if (left.size() > width) {
      out += fmt::format("  {}\n  {:{}}  {}\n", left, "", width, Wrapped(right, width + 4));
    } else {
      out += fmt::format("  {:{}}  {}\n", left, width, Wrapped(right, width + 4));
    }
  }
  return out;
}

Row FlagRow(const Flag& flag) {
  // Long names line up whether or not there is a short one before them.
  std::string left(flag.names.starts_with("--") ? "    " : "");
  for (char c : flag.names) left += c == ',' ? std::string(", ") : std::string(1, c);
  if (!flag.argument.empty()) left += fmt::format(" {}", flag.argument);
  std::string right(flag.text);
  if (flag.repeat == Repeat::kMany) right += " (may be repeated)";
  return {left, right};
}

std::string Usage(const Command& command) {
  std::string out = fmt::format("Usage: millrace {}", command.words);
  for (const Positional& positional : command.positionals) {
    std::string name = fmt::format("{}{}", positional.name, positional.repeat == Repeat::kMany ? "..." : "");
    out += positional.presence == Presence::kRequired ? ' ' + name : fmt::format(" [{}]", name);
  }
  return out + " [flags]\n";
}

std::vector<Row> FlagRows(std::span<const Flag> flags) {
  std::vector<Row> rows;
  std::ranges::transform(flags, std::back_inserter(rows), FlagRow);
  return rows;
}

std::string Examples(std::span<const std::string_view> examples) {
  if (examples.empty()) return {};
  std::string out = "\nExamples:\n";
  for (std::string_view example : examples) out += fmt::format("  {}\n", example);
  return out;
}

}  // namespace

std::string ProgramHelp() {
  std::string out =
      "  printf 'a\\nb\\nc\\n' | millrace produce demo --data-dir ./log\n"
      "  millrace consume demo --data-dir ./log --json -n 3\n"
      "  millrace topic describe demo --data-dir ./log --storage\n"
      "\n"
      "millrace keeps an event log: its tail on this disk, its history in an object store.\n"
      "\n"
      "Usage: millrace VERB [arguments] [flags]\n";
  std::vector<Row> rows;
  for (const Command& command : Commands()) {
    std::string_view group = GroupOf(command);
    std::string_view first = group.empty() ? command.words : group;
    if (!rows.empty() && rows.back().first == first) continue;
    rows.emplace_back(first, group.empty() ? command.summary : GroupSummary(group));
  }
  out += Rows("Verbs", rows);
  out +=
      Rows("Where", {{"--data-dir DIR", "the log in this directory, opened by this process (MILLRACE_DATA_DIR)"},
                     {"--server HOST:PORT", "the log of a server (MILLRACE_SERVER); localhost:9092 if none is named"}});
  out += "\nmillrace VERB --help tells about a verb, millrace --version about this program.\n";
  return out;
}

std::string GroupHelp(std::string_view group) {
  std::string out = fmt::format("{}.\n\nUsage: millrace {} VERB [arguments] [flags]\n", GroupSummary(group), group);
  std::vector<Row> rows;
  for (const Command& command : Commands()) {
    if (GroupOf(command) != group) continue;
    std::string names(command.last_word());
    for (std::string_view alias : command.aliases) names += fmt::format(", {}", alias);
    rows.emplace_back(names, command.summary);
  }
  out += Rows("Verbs", rows);
  out += fmt::format("\nmillrace {} VERB --help tells more.\n", group);
  return out;
}

std::string CommandHelp(const Command& command) {
  std::string out = fmt::format("{}.\n\n{}", command.summary, Usage(command));
  std::vector<Row> arguments;
  for (const Positional& positional : command.positionals) arguments.emplace_back(positional.name, positional.text);
  out += Rows("Arguments", arguments);
  out += Rows("Flags", FlagRows(command.flags));
  std::vector<Flag> all = command.AllFlags();
  out += Rows(command.flags.empty() ? "Flags" : "More flags", FlagRows(std::span(all).subspan(command.flags.size())));
  if (!command.details.empty()) {
    out += '\n';
    std::string_view rest = command.details;
    while (!rest.empty()) {
      std::size_t line = std::min(rest.find('\n'), rest.size());
      out += Wrapped(rest.substr(0, line), 0) + '\n';
      rest.remove_prefix(std::min(line + 1, rest.size()));
    }
  }
  return out + Examples(command.examples);
}

}  // namespace millrace
