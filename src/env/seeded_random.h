// Randomness that a seed replays (splitmix64): simulations, and tests that print their seed.
#pragma once

#include <atomic>

#include "env/random.h"

namespace millrace {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() override { return Mix(state_.fetch_add(kStep, std::memory_order_relaxed) + kStep); }

  /// A well-mixed function of `value`: to derive one seed from another.
  static constexpr std::uint64_t Mix(std::uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
  }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15U;
  std::atomic<std::uint64_t> state_;
};

}  // namespace millrace
