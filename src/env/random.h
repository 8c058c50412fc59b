// The seam of randomness. Everything random in the engine (object ids, jitter, identities) comes through here, so that
// a seed replays a run.
#pragma once

#include <cstdint>

namespace millrace {

/// Safe from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t Next() = 0;
  /// Uniform in [0, bound), up to a bias of bound / 2^64. Precondition: bound > 0.
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }
  bool OneIn(std::uint64_t n) { return Below(n) == 0; }
};

}  // namespace millrace
