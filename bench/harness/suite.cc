#include "bench/harness/suite.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/harness/machine.h"

namespace millrace::bench {

namespace {

std::string FigureText(double value) {
  if (value >= 1000) return fmt::format("{:.0f}", value);
  return value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.3f}", value);
}

std::uint64_t ParseNumber(const char* text) {
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0') Die(fmt::format("'{}' is not a number", text));
  return value;
}

/// figures[side] of one alternation: forth, then back.
std::vector<double> RunAlternation(const std::vector<Side>& sides, Rounds rounds) {
  std::vector<double> figures(sides.size(), 0);
  if (sides.size() == 1) return {sides[0].run()};
  if (rounds == Rounds::kOne) {
    for (std::size_t i = 0; i < sides.size(); ++i) figures[i] = sides[i].run();
    return figures;
  }
  for (std::size_t i = 0; i < sides.size(); ++i) figures[i] += sides[i].run() / 2;
  for (std::size_t i = sides.size(); i-- > 0;) figures[i] += sides[i].run() / 2;
  return figures;
}

}  // namespace

Summary Summarize(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

bool Meets(Better better, double value, double bound) {
  return better == Better::kHigher ? value >= bound : value <= bound;
}

void Die(std::string_view message) {
  fmt::print(stderr, "bench: {}\n", message);
  std::exit(1);
}

Suite::Suite(std::string_view name, int argc, char** argv) : name_(name) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (i + 1 == argc) Die(fmt::format("{} needs a value", option));
    const char* value = argv[i + 1];
    if (option == "--rounds") {
      rounds_ = std::max<std::size_t>(1, ParseNumber(value));
    } else if (option == "--percent") {
      percent_ = ParseNumber(value);
    } else if (option == "--seed") {
      seed_ = ParseNumber(value);
    } else if (option == "--dir") {
      directory_ = value;
    } else if (option == "--only") {
      only_ = value;
    } else if (option == "--walrus") {
      walrus_ = value;
    } else if (option == "--kafka") {
      kafka_ = value;
    } else if (option == "--results") {
      results_ = value;
    } else {
      Die(fmt::format("unknown option {}", option));
    }
  }
  std::filesystem::create_directories(directory_);
  fmt::print("\n{} · seed {} · {} rounds\n{}\n", name_, seed_, rounds_, DescribeMachine(directory_).ToText());
}

Suite::~Suite() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_ / name_, ignored);
}

std::filesystem::path Suite::FreshDirectory(std::string_view name) const {
  const auto path = directory_ / name_ / name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

void Suite::Compare(const Row& row, const std::vector<Side>& sides) {
  if (!Wants(row)) return;
  fmt::print("\n{}\n  {}\n", row.name, row.workload);
  std::fflush(stdout);
  if (row.rounds == Rounds::kAll) RunAlternation(sides, row.rounds);
  std::vector<std::vector<double>> figures(sides.size()), ratios(sides.size());
  for (std::size_t round = 0; round < RoundsOf(row); ++round) {
    const auto once = RunAlternation(sides, row.rounds);
    for (std::size_t i = 0; i < sides.size(); ++i) {
      figures[i].push_back(once[i]);
      ratios[i].push_back(once[0] / once[i]);
    }
  }
  std::vector<Summary> figure_summaries, ratio_summaries;
  for (std::size_t i = 0; i < sides.size(); ++i) {
    figure_summaries.push_back(Summarize(figures[i]));
    ratio_summaries.push_back(Summarize(ratios[i]));
  }
  Print(row, sides, figure_summaries, ratio_summaries);
  Record(row, sides, figure_summaries, ratio_summaries);
}

void Suite::Plot(const CurvePoint& point) {
  fmt::print("  {}: {}, {} at {}\n", point.picture, point.series, FigureText(point.y), FigureText(point.x));
  std::fflush(stdout);
  if (results_.empty()) return;
  const nlohmann::ordered_json line = {{"program", name_},
                                       {"picture", point.picture},
                                       {"series", point.series},
                                       {"x", point.x},
                                       {"y", point.y},
                                       {"seed", seed_},
                                       {"machine", DescribeMachine(directory_).ToText()}};
  std::ofstream(results_, std::ios::app) << line.dump() << "\n";
}

void Suite::Print(const Row& row, const std::vector<Side>& sides, const std::vector<Summary>& figures,
                  const std::vector<Summary>& ratios) const {
  for (std::size_t i = 0; i < sides.size(); ++i) {
    fmt::print("  {:42} {:>12} {:12} ({} .. {})", sides[i].name, FigureText(figures[i].median), row.unit,
               FigureText(figures[i].least), FigureText(figures[i].most));
    if (i > 0) fmt::print("   ours/this {:.2f} ({:.2f} .. {:.2f})", ratios[i].median, ratios[i].least, ratios[i].most);
    if (sides[i].note) fmt::print("   {}", sides[i].note());
    fmt::print("\n");
  }
  for (const Goal& goal : row.goals) {
    const double value = goal.against ? ratios[*goal.against].median : figures[0].median;
    fmt::print("  goal {} {} {}: {}\n", row.better == Better::kHigher ? ">=" : "<=", FigureText(goal.bound),
               goal.against ? "x " + sides[*goal.against].name : row.unit,
               Meets(row.better, value, goal.bound) ? "met" : "MISSED");
  }
  std::fflush(stdout);
}

void Suite::Record(const Row& row, const std::vector<Side>& sides, const std::vector<Summary>& figures,
                   const std::vector<Summary>& ratios) const {
  if (results_.empty()) return;
  nlohmann::ordered_json line = {{"program", name_},
                                 {"row", row.name},
                                 {"unit", row.unit},
                                 {"workload", row.workload},
                                 {"seed", seed_},
                                 {"rounds", RoundsOf(row)},
                                 {"machine", DescribeMachine(directory_).ToText()}};
  for (std::size_t i = 0; i < sides.size(); ++i) {
    line["sides"].push_back({{"name", sides[i].name},
                             {"median", figures[i].median},
                             {"least", figures[i].least},
                             {"most", figures[i].most},
                             {"ratio", ratios[i].median},
                             {"ratio_least", ratios[i].least},
                             {"ratio_most", ratios[i].most}});
    if (sides[i].note) line["sides"].back()["note"] = sides[i].note();
  }
  line["goals"] = nlohmann::ordered_json::array();
  for (const Goal& goal : row.goals) {
    const double value = goal.against ? ratios[*goal.against].median : figures[0].median;
    line["goals"].push_back({{"sign", row.better == Better::kHigher ? ">=" : "<="},
                             {"bound", goal.bound},
                             {"against", goal.against ? sides[*goal.against].name : ""},
                             {"value", value},
                             {"met", Meets(row.better, value, goal.bound)}});
  }
  std::ofstream(results_, std::ios::app) << line.dump() << "\n";
}

}  // namespace millrace::bench
