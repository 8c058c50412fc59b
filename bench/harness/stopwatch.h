// Time since construction, and threads that start together and are timed as one.
#pragma once

#include <barrier>
#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

namespace millrace::bench {

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }
  [[nodiscard]] double microseconds() const { return seconds() * 1e6; }
  [[nodiscard]] double milliseconds() const { return seconds() * 1e3; }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Runs `work(thread)` on `threads` threads that start together; seconds until the last is done.
template <class Work>
double TimeThreads(std::size_t threads, const Work& work) {
  std::barrier start(static_cast<std::ptrdiff_t>(threads) + 1);
  std::vector<std::jthread> running;
  running.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
  start.arrive_and_wait();
  const Stopwatch watch;
  for (std::jthread& thread : running) thread.join();
  return watch.seconds();
}

}  // namespace millrace::bench
