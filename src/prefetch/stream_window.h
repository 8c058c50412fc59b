// How far ahead of a sequential reader bytes are asked for: from one chunk up, as long as it pays.
//
//   1 MiB ──reader stands still: four times; half a window read: twice──► 16 MiB ──► what bandwidth x delay asks for
//
// Where streams before it found larger windows worth their while, the second standstill leads to theirs.
// Up to two requests of full size the window grows because few requests cost less than many. Past that, more bytes on
// the way pay only as long as they come faster together: where bandwidth x delay is reached they only queue. Both are
// measured: how many bytes came while requests were under way, and how long a request takes at the least. As long as
// requests take no longer than that, the window is twice as large as what came and one request more; once several in a
// row did, a quarter larger and one request.
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

#include "cache/chunk.h"
#include "fetch/chunk_fetch.h"

namespace millrace {

/// Bytes as stored. Not thread-safe.
class StreamWindow {
 public:
  static constexpr std::uint64_t kBytesMin = kChunkWindowBytes;
  static constexpr std::uint64_t kPipelineBytes = 2 * kJoinBytesMax;  // one request on its way while one is read
  static constexpr std::chrono::nanoseconds kDelayBelieved = std::chrono::seconds(10);

  /// How large windows became that were fitted to bandwidth x delay: the path is the same for the streams of an engine.
  class Learned {
   public:
    void Learn(const StreamWindow& window, std::chrono::nanoseconds now) {
      if (window.window_ <= kPipelineBytes) return;
      bytes_ = window.window_;
      at_ = now;
    }
    /// 0: nothing is known any more.
    [[nodiscard]] std::uint64_t At(std::chrono::nanoseconds now) const {
      return now - at_ <= kPathBelieved ? bytes_ : 0;
    }

   private:
    static constexpr std::chrono::nanoseconds kPathBelieved = std::chrono::minutes(1);
    std::uint64_t bytes_ = 0;
    std::chrono::nanoseconds at_{};
  };

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
  /// The reader stands still for bytes asked for; `at_this_window`: since the window grew. `learned`: Learned::At.
  void OnOutrun(bool at_this_window, std::uint64_t learned = 0) {
    outrun_ = true;
    if (!at_this_window || window_ >= kPipelineBytes) return;
    const bool first = window_ == kBytesMin;
    window_ = std::min(4 * window_, kPipelineBytes);
    if (!first) window_ = std::max(window_, learned);
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
    LearnDelay(bytes, Seconds(now - departure.at), now);
    // From one arrival to another, so that what came just before the request does not count.
    fastest_ = std::max(fastest_,
                        static_cast<double>(delivered_ - departure.delivered) / Seconds(now - departure.last_arrival));
    if (departure.delivered >= round_from_) EndRound(now);
    if (window_ >= kPipelineBytes) Fit(now);
  }

 private:
  static constexpr double kUnknown = std::numeric_limits<double>::infinity();
  static constexpr double kGainGrowing = 2, kGain = 1.25;
  static constexpr double kMeanOver = 2 * kJoinBytesMax;
  static constexpr double kQueued = 1.25;  // of the least delay, for several requests in a row: there is a queue
  static constexpr int kQueuedMax = 4, kFreeMax = 16;
  static constexpr std::size_t kRounds = 8;  // a rate is believed for so many

  static double Seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

  /// The last request of a segment is shorter than others, and takes less time: the delay is kept as that of a byte.
  void LearnDelay(std::uint64_t bytes, double seconds, std::chrono::nanoseconds now) {
    const auto size = static_cast<double>(bytes);
    mean_bytes_ = mean_bytes_ == 0 ? size : mean_bytes_ + (size - mean_bytes_) * std::min(size / kMeanOver, 1.0);
    const bool queued = seconds > kQueued * delay_ * size;
    in_a_row_ = queued == queued_ ? in_a_row_ + 1 : 1;
    queued_ = queued;
    if (window_ > kPipelineBytes && in_a_row_ >= (queued ? kQueuedMax : kFreeMax)) grows_ = !queued;
    if (seconds / size >= delay_) return;
    delay_ = seconds / size;
    delay_at_ = now;
  }
  /// All that was under way when the round began has come.
  void EndRound(std::chrono::nanoseconds now) {
    rounds_[++round_ % kRounds] = {delivered_, now};
    if (window_ > kPipelineBytes && !(outrun_ || waited_before_)) grows_ = false;
    waited_before_ = std::exchange(outrun_, false);
    round_from_ = delivered_;
  }
  void Fit(std::chrono::nanoseconds now) {
    const double product = (grows_ ? fastest_ : RateOfRounds()) * delay_ * mean_bytes_;
    const auto wanted = static_cast<std::uint64_t>((grows_ ? kGainGrowing : kGain) * product) + kJoinBytesMax;
    if (wanted > window_ ? outrun_ || waited_before_ : !grows_) window_ = std::max(wanted, kPipelineBytes);
    if (window_ > kPipelineBytes && now - delay_at_ > kDelayBelieved) HalveAndMeasureAnew();
  }
  /// Over all that is remembered.
  [[nodiscard]] double RateOfRounds() const {
    const Round& last = rounds_[round_ % kRounds];
    const Round& first = rounds_[round_ < kRounds ? 0 : (round_ + 1) % kRounds];
    return last.at > first.at ? static_cast<double>(last.delivered - first.delivered) / Seconds(last.at - first.at)
                              : fastest_;
  }
  void HalveAndMeasureAnew() {
    window_ = std::max(kBytesMin, window_ / 2);
    read_since_ = 0;
    ++trial_;  // what is under way now was asked for under the window before
    fastest_ = 0;
    round_ = 0;
    rounds_[0] = {delivered_, last_arrival_};
    delay_ = kUnknown;
    in_a_row_ = 0;
    round_from_ = delivered_;
    grows_ = true;
  }

  std::uint64_t window_ = kBytesMin, read_since_ = 0;
  bool grows_ = true;                            // larger windows may still bring more
  bool outrun_ = false, waited_before_ = false;  // the reader stood still in this round, in the one before
  // What was measured since the window was last halved.
  std::uint32_t trial_ = 0;
  std::uint64_t delivered_ = 0;
  std::chrono::nanoseconds last_arrival_{};
  double fastest_ = 0;       // bytes a second while a request was under way
  double mean_bytes_ = 0;    // of a request
  double delay_ = kUnknown;  // of a request, at the least, in seconds a byte of it
  std::chrono::nanoseconds delay_at_{};
  bool queued_ = false;  // of the last request
  int in_a_row_ = 0;     // requests that were, or were not
  // A round: until what is sent after its begin arrives.
  struct Round {
    std::uint64_t delivered = 0;
    std::chrono::nanoseconds at{};  // of its end
  };
  std::array<Round, kRounds> rounds_{};
  std::size_t round_ = 0;
  std::uint64_t round_from_ = 0;
};

}  // namespace millrace
