// What `bench` runs: append, read, or both ends at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/histogram.h"
#include "cli/interrupt.h"
#include "millrace/engine.h"
#include "millrace/result.h"

namespace millrace {

struct WorkloadOptions {
  std::size_t record_bytes = 1024;
  std::size_t batch_records = 1;
  unsigned threads = 1;
  std::optional<std::uint64_t> rate;  // operations a second over all threads; none: each as fast as it can
  double seconds = 5;
  std::uint64_t seed = 1;
  Durability durability = Durability::kDisk;
};

struct WorkloadResult {
  Histogram latency_ns;  // under a rate: from the moment the operation was due, not from when it could begin
  std::uint64_t operations = 0, records = 0, bytes = 0;  // bytes of values
  double seconds = 0;
};

/// Each operation is one blocking append; each receipt is checked for the durability it names.
Result<void> RunAppend(Engine& engine, const WorkloadOptions& options, const Interrupt& interrupt,
                       WorkloadResult& result);
/// Writes 64 MiB first; then each operation is one read of 1 MiB, in order, from the beginning again at the end.
Result<void> RunRead(Engine& engine, const WorkloadOptions& options, const Interrupt& interrupt,
                     WorkloadResult& result);
/// An operation is a record's way from its append to a waiting consumer.
Result<void> RunEndToEnd(Engine& engine, const WorkloadOptions& options, const Interrupt& interrupt,
                         WorkloadResult& result);

}  // namespace millrace
