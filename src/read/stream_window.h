// How far ahead of a sequential reader bytes are asked for: from one chunk up, as long as it pays.
//
//   1 MiB ──the reader stands still: four times; half a window read: twice──► 16 MiB ──► what bandwidth x delay asks
//   for
//
// Up to two requests of full size the window grows because few requests cost less than many. Past that, more bytes on
// the way pay only as long as they come faster together: where bandwidth x delay is reached they only queue. Both are
// measured: every request tells how many bytes came while it was under way (the bandwidth under this window) and how
// long a request takes (the delay, at its least). While larger windows still bring more, the window is twice as large
// as what came and one request more; once they do not, or requests take longer, it is a tenth larger and one request.
// A delay is believed for ten seconds; then half a window shows what it is without a queue.
// Source: the model of BBR (Cardwell et al., 2016), with whole requests for packets.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "read/chunk.h"
#include "read/chunk_fetch.h"

namespace millrace {

/// Bytes as stored. Not thread-safe.
class StreamWindow {
 public:
  static constexpr std::uint64_t kBytesMin = kChunkWindowBytes;
  static constexpr std::uint64_t kPipelineBytes = 2 * kJoinBytesMax;  // one request on its way while one is read
  static constexpr std::chrono::nanoseconds kDelayBelieved = std::chrono::seconds(10);

  /// What had come when a request was sent.
  struct Departure {
    std::uint32_t trial = 0;
    std::uint64_t delivered = 0;
    std::chrono::nanoseconds at{}, last_arrival{};
  };

  /// `share_bytes`: what the memory budget grants this stream.
  [[nodiscard]] std::uint64_t bytes(std::uint64_t share_bytes) const {
    return std::max(kBytesMin, std::min(window_, share_bytes));
  }
  /// The reader stands still for bytes asked for; `at_this_window`: since the window grew.
  void OnOutrun(bool at_this_window) {
    outrun_ = true;
    if (at_this_window && window_ < kPipelineBytes) window_ = std::min(4 * window_, kPipelineBytes);
  }
  /// Bytes asked for are read, not one in vain.
  void OnRead(std::uint64_t bytes) {
    read_since_ += bytes;
    if (window_ >= kPipelineBytes || read_since_ < window_ / 2) return;
    read_since_ = 0;
    window_ = std::min(2 * window_, kPipelineBytes);
  }
  /// Bytes asked for were dropped, or could not be had.
  void OnWaste() { HalveAndMeasureAnew(); }

  [[nodiscard]] Departure OnDeparture(std::chrono::nanoseconds now) const {
    return {trial_, delivered_, now, delivered_ > 0 ? std::min(last_arrival_, now) : now};
  }
  /// A request brought `bytes`.
  void OnArrival(std::uint64_t bytes, const Departure& departure, std::chrono::nanoseconds now) {
    delivered_ += bytes;
    last_arrival_ = now;
    if (departure.trial != trial_ || now <= departure.at) return;
    if (bytes >= kFullBytes) LearnDelay(Seconds(now - departure.at), now);
    // From one arrival to another, so that what came just before the request does not count.
    double& best = rates_[round_ % kRounds];
    best =
        std::max(best, static_cast<double>(delivered_ - departure.delivered) / Seconds(now - departure.last_arrival));
    if (departure.delivered >= round_from_) EndRound();
    if (window_ >= kPipelineBytes && delay_ < kUnknown) Fit(now);
  }

 private:
  static constexpr std::uint64_t kFullBytes = kJoinBytesMax * 3 / 4;  // the last request of a segment is shorter
  static constexpr double kUnknown = std::numeric_limits<double>::infinity();
  static constexpr double kGainStarting = 2, kGain = 1.1;
  static constexpr double kGrowthMin = 1.2;  // of the rate in a round, or the window was large enough before
  static constexpr double kQueued = 1.4;     // of the least delay: there is a queue
  static constexpr int kFlatMax = 2;
  static constexpr std::size_t kRounds = 8;  // a rate is believed for so many

  static double Seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

  void LearnDelay(double seconds, std::chrono::nanoseconds now) {
    if (seconds > kQueued * delay_ && window_ > kPipelineBytes) starting_ = false;
    if (seconds >= delay_) return;
    delay_ = seconds;
    delay_at_ = now;
  }
  /// All that was under way when the round began has come.
  void EndRound() {
    const double rate = rates_[round_ % kRounds];
    if (window_ >= kPipelineBytes) {
      flat_ = rate < kGrowthMin * rate_before_ ? flat_ + 1 : 0;
      if (flat_ >= kFlatMax || !(outrun_ || waited_before_)) starting_ = false;
    }
    rate_before_ = std::max(rate_before_, rate);
    waited_before_ = std::exchange(outrun_, false);
    rates_[++round_ % kRounds] = 0;
    round_from_ = delivered_;
  }
  void Fit(std::chrono::nanoseconds now) {
    const double rate = *std::ranges::max_element(rates_);
    const auto wanted = static_cast<std::uint64_t>(rate * delay_ * (starting_ ? kGainStarting : kGain)) + kJoinBytesMax;
    if (wanted > window_ ? outrun_ || waited_before_ : !starting_) window_ = std::max(wanted, kPipelineBytes);
    if (window_ > kPipelineBytes && now - delay_at_ > kDelayBelieved) HalveAndMeasureAnew();
  }
  void HalveAndMeasureAnew() {
    window_ = std::max(kBytesMin, window_ / 2);
    read_since_ = 0;
    ++trial_;  // what is under way now was asked for under the window before
    rates_ = {};
    rate_before_ = 0;
    delay_ = kUnknown;
    round_from_ = delivered_;
    flat_ = 0;
    starting_ = true;
  }

  std::uint64_t window_ = kBytesMin, read_since_ = 0;
  bool starting_ = true;                         // larger windows may still bring more
  bool outrun_ = false, waited_before_ = false;  // the reader stood still in this round, in the one before
  // What was measured since the window was last halved.
  std::uint32_t trial_ = 0;
  std::uint64_t delivered_ = 0;
  std::chrono::nanoseconds last_arrival_{};
  std::array<double, kRounds> rates_{};  // the best of each round, bytes a second
  double rate_before_ = 0;               // the best of rounds before this one
  double delay_ = kUnknown;              // of a full request, at the least, in seconds
  std::chrono::nanoseconds delay_at_{};
  // A round: until what is sent after its begin arrives.
  std::size_t round_ = 0;
  std::uint64_t round_from_ = 0;
  int flat_ = 0;  // rounds that brought hardly more
};

}  // namespace millrace
