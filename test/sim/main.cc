// millrace_sim: the real rooms over a simulated disk, store and clock, on one thread, from seeds, against a model.
//
//   millrace_sim                      every row in its CI size
//   millrace_sim --row R              that row alone
//   millrace_sim --seed N [--row R]   one seed, with its trace
//   millrace_sim --seeds N [--row R]  N seeds of each row
//   millrace_sim --meta               that a seed replays identically
//   millrace_sim --bugs               the score of the planted bugs
//   millrace_sim --bug NAME           that bug alone
//
// Ends with `N passed, N failed`; exit code 0 only if nothing failed.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bug_score.h"
#include "row.h"

namespace millrace::sim {
namespace {

constexpr std::uint64_t kMetaSeeds = 50;

struct Arguments {
  std::optional<std::uint64_t> seed, seeds;
  std::optional<std::string> row, bug;
  bool meta = false, bugs = false;
};

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Arguments> Parse(const std::vector<std::string_view>& words) {
  Arguments arguments;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "--meta") {
      arguments.meta = true;
    } else if (words[i] == "--bugs") {
      arguments.bugs = true;
    } else if (words[i] == "--bug" && has_value) {
      arguments.bug = std::string(words[++i]);
    } else if (words[i] == "--seed" && has_value) {
      if (!(arguments.seed = ParseNumber(words[++i]))) return std::nullopt;
    } else if (words[i] == "--seeds" && has_value) {
      if (!(arguments.seeds = ParseNumber(words[++i]))) return std::nullopt;
    } else if (words[i] == "--row" && has_value) {
      arguments.row = std::string(words[++i]);
      if (FindRow(*arguments.row) == nullptr) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

bool RunRow(const Row& row, const Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  Report report(std::string(row.name), arguments.seed ? Report::Trace::kPrinted : Report::Trace::kQuiet);
  const std::uint64_t first = arguments.seed.value_or(1);
  const std::uint64_t count = arguments.seed ? 1 : arguments.seeds.value_or(row.seeds);
  for (std::uint64_t seed = first; seed < first + count && !report.enough(); ++seed) {
    report.BeginSeed(seed);
    row.run(seed, report);
  }
  // Floors are for the CI size; one seed cannot reach them, more seeds need no proof of it.
  const bool ci_size = !arguments.seed && !arguments.seeds;
  const bool passed = report.Close(ci_size ? row.floors : Report::Floors{.checked = 1});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("  {} ({:.1f} s)\n", row.property, took.count());
  return passed;
}

/// Row 3: each seed twice, the same trace.
bool RunMeta() {
  Report meta("3", Report::Trace::kQuiet);
  for (const Row& row : AllRows()) {
    // Rows of few seeds do much in each.
    const std::uint64_t seeds = row.seeds < kMetaSeeds ? 1 : kMetaSeeds;
    for (std::uint64_t seed = 1; seed <= seeds && !meta.enough(); ++seed) {
      meta.BeginSeed(seed);
      std::uint64_t hashes[2] = {}, checked[2] = {};
      for (int turn = 0; turn < 2; ++turn) {
        Report report(std::string(row.name), Report::Trace::kSilent);
        report.BeginSeed(seed);
        row.run(seed, report);
        hashes[turn] = report.trace_hash();
        checked[turn] = report.checked();
      }
      meta.Expect(hashes[0] == hashes[1] && checked[0] == checked[1], "not-deterministic",
                  fmt::format("row {}: trace {:016x} and {:016x}, checked {} and {}", row.name, hashes[0], hashes[1],
                              checked[0], checked[1]));
    }
  }
  const bool passed = meta.Close({.checked = kMetaSeeds});
  fmt::print("  a seed replays identically\n");
  return passed;
}

int Run(const Arguments& arguments) {
  if (arguments.bugs) return ScorePlantedBugs() ? 0 : 1;
  if (arguments.bug) return TryPlantedBug(*arguments.bug) ? 0 : 1;
  int passed = 0, failed = 0;
  const auto count = [&passed, &failed](bool good) { ++(good ? passed : failed); };
  if (arguments.meta) {
    count(RunMeta());
  } else {
    for (const Row& row : AllRows()) {
      if (!arguments.row || *arguments.row == row.name) count(RunRow(row, arguments));
    }
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::sim

int main(int count, char** words) {
  const auto arguments = millrace::sim::Parse({words + 1, words + count});
  if (!arguments) {
    fmt::print(stderr, "usage: millrace_sim [--row R] [--seed N | --seeds N] | --meta | --bugs | --bug NAME\nrows:");
    for (const auto& row : millrace::sim::AllRows()) fmt::print(stderr, " {}", row.name);
    fmt::print(stderr, "\n");
    return 2;
  }
  return millrace::sim::Run(*arguments);
}
