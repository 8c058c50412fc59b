// How far ahead of a sequential reader bytes are asked for: from one chunk up, as long as it pays.
//
//   1 MiB ──half a window read, or the reader waited: doubles──► 16 MiB ──the reader waited: a quarter more──► step
//                                                                  ▲                                            │
//                                                                  └──── bytes came hardly faster for it ◄──────┘
//
// Up to two requests of full size the window grows because few requests cost less than many. Past that, more bytes on
// the way pay only as long as they come faster together: where bandwidth x delay is reached they only queue. So each
// step is measured against the rate before it and taken back if it brought nothing; the next try comes later each time.
// Until a step was taken back for the first time, steps double: a scan is over before quarters have come to the end.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "read/chunk.h"
#include "read/chunk_fetch.h"

namespace millrace {

/// Bytes as stored. Not thread-safe.
class StreamWindow {
 public:
  static constexpr std::uint64_t kBytesMin = kChunkWindowBytes;
  static constexpr std::uint64_t kPipelineBytes = 2 * kJoinBytesMax;  // one request on its way while one is read

  /// `share_bytes`: what the memory budget grants this stream.
  [[nodiscard]] std::uint64_t bytes(std::uint64_t share_bytes) const {
    return std::max(kBytesMin, std::min(window_, share_bytes));
  }
  /// The reader stood still for bytes that were asked for at this window.
  void OnOutrun() {
    outrun_ = true;
    if (window_ < kPipelineBytes) window_ *= 2;
  }
  /// Bytes asked for are read, not one in vain.
  void OnRead(std::uint64_t bytes) {
    read_since_ += bytes;
    if (window_ >= kPipelineBytes || read_since_ < window_ / 2) return;
    read_since_ = 0;
    window_ *= 2;
  }
  /// Bytes asked for were dropped, or could not be had.
  void OnWaste() {
    window_ = std::max(kBytesMin, window_ / 2);
    read_since_ = 0;
    Settle();
    probed_from_ = 0;
  }
  /// A request brought `bytes`.
  void OnArrival(std::uint64_t bytes, std::chrono::nanoseconds now) {
    if (window_ < kPipelineBytes) return;
    delivered_ += bytes;
    if (!measuring_) {
      if (delivered_ < (probed_from_ != 0 ? probed_from_ : window_)) return;  // asked for under the window before
      measuring_ = true;
      measured_from_ = now;
      delivered_ = 0;
      outrun_ = false;
    } else if (delivered_ >= (starting_ ? window_ : 2 * window_)) {
      Judge(std::chrono::duration<double>(now - measured_from_).count());
    }
  }

 private:
  static constexpr double kGainMin = 0.4;  // of what the step would bring if nothing queued
  static constexpr int kPauseMax = 256;

  void Settle() {
    measuring_ = false;
    delivered_ = 0;
  }
  /// After a window of bytes while starting, later two, came in `seconds`.
  void Judge(double seconds) {
    const double rate = seconds > 0 ? static_cast<double>(delivered_) / seconds : 0;
    Settle();
    if (probed_from_ != 0 && rate < rate_needed_) {
      window_ = std::exchange(probed_from_, 0);
      if (std::exchange(starting_, false)) return;  // part of the doubling may still be right
      pause_left_ = pause_;
      pause_ = std::min(pause_ * 2, kPauseMax);
      return;
    }
    probed_from_ = 0;
    if (pause_left_ > 0) --pause_left_;
    if (!outrun_ || pause_left_ > 0 || rate == 0) return;
    const std::uint64_t step = starting_ ? window_ : std::max(kJoinBytesMax, window_ / 4);
    rate_needed_ = rate * (1 + kGainMin * static_cast<double>(step) / static_cast<double>(window_));
    probed_from_ = window_;
    window_ += step;
  }

  std::uint64_t window_ = kBytesMin, read_since_ = 0;
  bool outrun_ = false;
  bool starting_ = true;  // doubles, until once it was too much
  // The measurement under way.
  bool measuring_ = false;
  std::chrono::nanoseconds measured_from_{};
  std::uint64_t delivered_ = 0;
  // The step under way.
  std::uint64_t probed_from_ = 0;   // the window before it; 0: none
  double rate_needed_ = 0;          // bytes a second, for it to stay
  int pause_ = 8, pause_left_ = 0;  // measurements until the next step
};

}  // namespace millrace
