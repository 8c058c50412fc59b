// The newest batches of all partitions, in memory: counted slices under one byte budget. A tail read ends here, without
// I/O and without a copy.
#pragma once

#include <cstdint>
#include <memory>

#include "millrace/bytes.h"
#include "millrace/types.h"

namespace millrace {

/// The shared budget; each PartitionLog keeps its own run of slices and gives up its oldest when asked. Safe from any
/// thread.
class TailCache {
 public:
  explicit TailCache(std::uint64_t bytes_max);
  ~TailCache();
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::uint64_t bytes_max() const;

  struct State;
  [[nodiscard]] State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace millrace
