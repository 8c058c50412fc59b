// Many partitions read at once, each from its own place, under one byte budget.
#pragma once

#include <span>
#include <vector>

#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/result.h"

namespace millrace {

class PartitionReader;
class ThreadPool;

struct PartitionRead {
  PartitionReader* reader = nullptr;
  Offset begin;
};

/// One result for each read, in the order asked; a failure of one hides no other's records. `limits.bytes_max`
/// bounds all of them together, at batch borders; the first in order that has records returns at least one batch.
/// `limits.records_max` holds for each, `timeout` for all of them together. Runs on `pool` and on the calling thread;
/// blocks.
std::vector<Result<ReadResult>> ReadMany(std::span<const PartitionRead> reads, const ReadLimits& limits,
                                         ThreadPool& pool);

}  // namespace millrace
