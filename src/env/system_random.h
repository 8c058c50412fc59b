// Randomness of the machine: for object ids, identities and jitter in real runs.
#pragma once

#include "env/random.h"

namespace millrace {

/// Every number comes from the kernel's generator, so a forked or cloned process never repeats another's.
/// Cost: one system call each.
class SystemRandom final : public Random {
 public:
  std::uint64_t Next() override;
};

}  // namespace millrace
