// --rate: how many records may go now.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

/// "1000" or "1000/s"; none if it is no positive number.
std::optional<std::uint64_t> ParseRate(std::string_view text);

/// A schedule fixed at the first record: record n goes at start + n / rate, in slices of about 10 ms. Time is handed
/// in.
class Pacing {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Precondition: rate > 0.
  Pacing(std::uint64_t rate, Time start) : rate_(rate), start_(start) {}

  /// Records of one slice.
  [[nodiscard]] std::size_t slice() const { return static_cast<std::size_t>(rate_ / 100 + 1); }
  /// When the next record is due.
  [[nodiscard]] Time due() const {
    auto seconds = sent_ / rate_;
    auto rest = std::chrono::nanoseconds((sent_ % rate_) * 1'000'000'000 / rate_);
    return start_ + std::chrono::seconds(seconds) + std::chrono::duration_cast<Time::duration>(rest);
  }
  void Sent(std::size_t records) { sent_ += records; }

 private:
  const std::uint64_t rate_;
  const Time start_;
  std::uint64_t sent_ = 0;
};

}  // namespace millrace
