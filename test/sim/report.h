// What a row of the simulation saw: how much it checked, which faults fired, and every broken property with the command
// that replays it. A row that checked too little, or whose faults never fired, has failed as well.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::sim {

/// A broken promise of one run.
struct Failure {
  std::uint64_t seed = 0;
  std::string property, detail;
};

class Report {
 public:
  enum class Trace { kSilent, kQuiet, kPrinted };  // kSilent: failures are not printed either
  Report(std::string row, Trace trace) : row_(std::move(row)), trace_(trace) {}

  void BeginSeed(std::uint64_t seed);
  /// Something happened. All events together are the run's trace; their hash is its fingerprint.
  void Event(std::string_view text);
  /// Something was compared with the model.
  void Checked(std::uint64_t count = 1) { checked_ += count; }
  /// A fault, a verdict or a rare path was met.
  void Fired(std::string_view kind, std::uint64_t count = 1);
  /// `property` is a fixed word ("acknowledged-lost"); `detail` says what was seen. The first few of a row are printed.
  void Fail(std::string_view property, std::string_view detail);
  bool Expect(bool holds, std::string_view property, std::string_view detail) {
    Checked();
    if (!holds) Fail(property, detail);
    return holds;
  }

  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  [[nodiscard]] std::uint64_t checked() const { return checked_; }
  [[nodiscard]] std::uint64_t seeds() const { return seeds_; }
  [[nodiscard]] std::uint64_t fired(std::string_view kind) const;
  [[nodiscard]] const std::vector<Failure>& failures() const { return failures_; }
  /// No more is learnt by going on.
  [[nodiscard]] bool enough() const { return failures_.size() >= kFailuresMax; }

  struct Floors {
    std::uint64_t checked = 0;
    std::map<std::string, std::uint64_t, std::less<>> fired;  // kind to least count
  };
  /// Prints `row R checked=N …` and what is below its floor. True: the row passed.
  bool Close(const Floors& floors);

 private:
  static constexpr std::size_t kFailuresMax = 5;
  const std::string row_;
  const Trace trace_;
  std::uint64_t seed_ = 0, seeds_ = 0, checked_ = 0, trace_hash_ = 0xcbf29ce484222325U;
  std::map<std::string, std::uint64_t, std::less<>> fired_;
  std::vector<Failure> failures_;
};

}  // namespace millrace::sim
