// What became of each flipped bit.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace millrace {

enum class FlipOutcome {
  kRight,       // the data as it was, or repaired
  kTyped,       // an error that says what is damaged; everything else readable and right
  kLostInTail,  // a frame of the last group, before anything proves it was synced: looks like a torn tail
  kWrong,
};

/// Counts outcomes and keeps the first failure. One thread.
class FlipReport {
 public:
  explicit FlipReport(std::string row) : row_(std::move(row)) {}

  void Count(FlipOutcome outcome, const char* what, std::uint64_t byte, unsigned bit) {
    ++checked_;
    ++counts_[static_cast<int>(outcome)];
    if (outcome == FlipOutcome::kWrong && counts_[static_cast<int>(outcome)] == 1)
      std::printf("%s: WRONG after flipping bit %u of byte %llu of %s\n", row_.c_str(), bit,
                  static_cast<unsigned long long>(byte), what);
  }
  [[nodiscard]] std::uint64_t checked() const { return checked_; }
  [[nodiscard]] std::uint64_t count(FlipOutcome outcome) const { return counts_[static_cast<int>(outcome)]; }

  /// Prints the row; true if nothing was wrong and at least `floor` flips were checked.
  [[nodiscard]] bool Passes(std::uint64_t floor) const {
    const bool passes = count(FlipOutcome::kWrong) == 0 && checked_ >= floor;
    std::printf("%s: checked=%llu right=%llu typed=%llu last-group=%llu wrong=%llu floor=%llu %s\n", row_.c_str(),
                Number(checked_), Number(count(FlipOutcome::kRight)), Number(count(FlipOutcome::kTyped)),
                Number(count(FlipOutcome::kLostInTail)), Number(count(FlipOutcome::kWrong)), Number(floor),
                passes ? "ok" : "FAILED");
    return passes;
  }

 private:
  static unsigned long long Number(std::uint64_t number) { return number; }

  std::string row_;
  std::uint64_t checked_ = 0;
  std::uint64_t counts_[4] = {};
};

}  // namespace millrace
