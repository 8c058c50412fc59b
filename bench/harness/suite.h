// One measuring program: its options, its rows, and how sides are compared.
//
// All sides of a row run in this process, alternating (A, B, B, A). A round is one such alternation; each side's figure
// in it is the mean of its two runs, and the ratio is taken inside the round. One round of warm-up is thrown away. What
// is reported is the median over the rounds, with its range. A program returns 0 also when a goal is missed: a miss is
// a result, an error is not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::bench {

enum class Better { kHigher, kLower };
/// kOne: no warm-up and one round, for what a seed makes the same in every round (requests, hits, virtual time), and
/// for percentiles over more samples than could be repeated.
enum class Rounds { kAll, kOne };

/// What a row wants: ours against the side of that index (a ratio), or ours alone (a figure in the row's unit).
struct Goal {
  std::optional<std::size_t> against;
  double bound = 0;
};

struct Row {
  std::string name;      // "durable append, 1 writer"
  std::string unit;      // "us", "appends/s"
  std::string workload;  // sizes, threads, durability of both sides
  Better better = Better::kHigher;
  std::vector<Goal> goals;
  Rounds rounds = Rounds::kAll;
};

/// One dot of a picture that tools/curves.py draws.
struct CurvePoint {
  std::string picture;  // "read-window": docs/pictures/read-window.svg
  std::string series;   // "30 ms"
  double x = 0, y = 0;
};

/// `run` does the work once and returns its figure in the row's unit. The first side of a row is ours. `note`: what a
/// figure does not say, of the last run ("delivered 10 of 10").
struct Side {
  std::string name;
  std::function<double()> run;
  std::function<std::string()> note = {};
};

/// Of one side of one row over all rounds.
struct Summary {
  double median = 0, least = 0, most = 0;
};

class Suite {
 public:
  /// Options: --rounds N, --seed N, --dir DIR, --only TEXT (rows whose name holds it), --results FILE (one JSON line a
  /// row), --percent N (of the size of rows that have one of their own), --walrus PATH (the driver of that peer),
  /// --kafka FOLDER (the jars of that peer).
  Suite(std::string_view name, int argc, char** argv);
  /// Removes what the rows left on disk.
  ~Suite();
  Suite(const Suite&) = delete;
  Suite& operator=(const Suite&) = delete;

  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::size_t rounds() const { return rounds_; }
  /// The size of a row whose full one is `full`, by --percent.
  [[nodiscard]] std::size_t Scaled(std::size_t full) const { return full * percent_ / 100; }
  /// Empty: that peer is not to be had here.
  [[nodiscard]] const std::filesystem::path& walrus() const { return walrus_; }
  [[nodiscard]] const std::filesystem::path& kafka() const { return kafka_; }
  [[nodiscard]] bool Wants(const Row& row) const { return row.name.find(only_) != std::string::npos; }
  /// An empty folder on the disk under test; what was there before is gone.
  [[nodiscard]] std::filesystem::path FreshDirectory(std::string_view name) const;

  /// Runs the sides of a row, prints and records the result. Nothing if the row is not wanted.
  void Compare(const Row& row, const std::vector<Side>& sides);
  /// Whether the dots of this picture are wanted.
  [[nodiscard]] bool WantsCurve(std::string_view picture) const { return picture.find(only_) != std::string::npos; }
  void Plot(const CurvePoint& point);

 private:
  void Print(const Row& row, const std::vector<Side>& sides, const std::vector<Summary>& figures,
             const std::vector<Summary>& ratios) const;
  [[nodiscard]] std::size_t RoundsOf(const Row& row) const { return row.rounds == Rounds::kOne ? 1 : rounds_; }
  void Record(const Row& row, const std::vector<Side>& sides, const std::vector<Summary>& figures,
              const std::vector<Summary>& ratios) const;

  std::string name_, only_;
  std::size_t rounds_ = 5, percent_ = 100;
  std::uint64_t seed_ = 1;
  std::filesystem::path directory_ = "build/bench/work", results_, walrus_, kafka_;
};

Summary Summarize(std::vector<double> values);
/// Met or not, in the sense of `better`.
bool Meets(Better better, double value, double bound);
/// Prints and ends the program: a benchmark that went wrong has no figure.
[[noreturn]] void Die(std::string_view message);

}  // namespace millrace::bench
