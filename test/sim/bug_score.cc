#include "bug_score.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "base/bugs.h"
#include "bug_table.h"
#include "row.h"

namespace millrace::sim {
namespace {

#ifdef MILLRACE_BUGS

constexpr unsigned kSecondsMax = 120;  // of one bug

/// Runs in a process of its own, so that a crash is seen and not suffered: "caught", "missed", "absent" and why.
std::string TryBug(const BugCase& bug) {
  active_bug = bug.bug;
  planted_firings = 0;
  std::string seen;
  const auto expected = [&bug](const Failure& failure) {
    return std::ranges::find(bug.properties, failure.property) != bug.properties.end();
  };
  for (const std::string_view name : bug.rows) {
    const Row* row = FindRow(name);
    if (row == nullptr) return fmt::format("missed: there is no row {}", name);
    Report report(std::string(name), Report::Trace::kSilent);
    for (std::uint64_t seed = 1; seed <= row->seeds && !report.enough(); ++seed) {
      report.BeginSeed(seed);
      row->run(seed, report);
      if (std::ranges::any_of(report.failures(), expected)) break;
    }
    for (const Failure& failure : report.failures()) {
      if (expected(failure)) {
        return fmt::format("caught by row {} seed {} {}: {}", name, failure.seed, failure.property, failure.detail);
      }
      seen += fmt::format(" {} (row {} seed {}: {})", failure.property, name, failure.seed, failure.detail);
    }
  }
  if (planted_firings == 0) return "absent";
  return "missed:" + (seen.empty() ? std::string(" nothing failed") : seen);
}

std::string TryBugApart(const BugCase& bug) {
  int ends[2];
  if (::pipe(ends) != 0) return "missed: no pipe";
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return "missed: no process";
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(kSecondsMax);  // a hang is a miss
    const std::string verdict = TryBug(bug);
    [[maybe_unused]] const ssize_t ignored =
        ::write(ends[1], verdict.data(), std::min<std::size_t>(verdict.size(), 600));
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string verdict(1000, '\0');
  const ssize_t got = ::read(ends[0], verdict.data(), verdict.size());
  verdict.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || verdict.empty())
    return fmt::format("missed: the program died of signal {}", WTERMSIG(status));
  return verdict;
}

bool ControlIsClean() {
  active_bug = Bug::kNone;
  bool clean = true;
  for (const Row& row : AllRows()) {
    Report report(std::string(row.name), Report::Trace::kQuiet);
    for (std::uint64_t seed = 1; seed <= std::min<std::uint64_t>(row.seeds, 10) && report.failures().empty(); ++seed) {
      report.BeginSeed(seed);
      row.run(seed, report);
    }
    clean = clean && report.failures().empty() && report.checked() > 0;
  }
  fmt::print("control run without a bug: {}\n", clean ? "clean" : "NOT CLEAN");
  return clean;
}

#endif

}  // namespace

bool ScorePlantedBugs() {
#ifdef MILLRACE_BUGS
  std::size_t caught = 0, planted = 0, absent = 0;
  for (int i = static_cast<int>(Bug::kNone) + 1; i < static_cast<int>(Bug::kEnd); ++i) {
    if (std::ranges::find(BugTable(), static_cast<Bug>(i), &BugCase::bug) != BugTable().end()) continue;
    fmt::print("bug number {} of base/bugs.h: FAILED: no row of the table tries it\n", i);
    ++absent;
  }
  for (const BugCase& bug : BugTable()) {
    const std::string verdict = TryBugApart(bug);
    if (verdict == "absent") {
      fmt::print("bug {}: FAILED: not in the code, or its rows never come there\n", bug.name);
      ++absent;
      continue;
    }
    ++planted;
    caught += verdict.starts_with("caught") ? 1 : 0;
    fmt::print("bug {}: {}\n", bug.name, verdict);
    std::fflush(stdout);
  }
  const bool clean = ControlIsClean();
  const bool passed = clean && caught == planted && absent == 0;
  fmt::print("score: {}/{}\n", caught, planted);
  fmt::print("{} passed, {} failed\n", caught + (clean ? 1 : 0), planted - caught + absent + (clean ? 0 : 1));
  return passed;
#else
  fmt::print("FAILED: this build has no planted bugs (configure with -DMILLRACE_BUGS=ON)\n0 passed, 1 failed\n");
  return false;
#endif
}

bool TryPlantedBug([[maybe_unused]] std::string_view name) {
#ifdef MILLRACE_BUGS
  for (const BugCase& bug : BugTable()) {
    if (bug.name != name) continue;
    const std::string verdict = TryBugApart(bug);
    fmt::print("bug {}: {}\n", bug.name, verdict);
    return verdict.starts_with("caught");
  }
  fmt::print("FAILED: there is no bug {}\n", name);
#else
  fmt::print("FAILED: this build has no planted bugs (configure with -DMILLRACE_BUGS=ON)\n");
#endif
  return false;
}

}  // namespace millrace::sim
