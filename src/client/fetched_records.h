// From the bytes of a fetch to the records asked for.
#pragma once

#include <cstdint>

#include "millrace/bytes.h"
#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace::client {

/// What a server answered for one partition.
struct Fetched {
  SharedBytes batches;  // whole ones, back to back; the last may be cut short, the first may begin before `begin`
  Offset high_watermark, log_start;
};

/// Records from `begin` on, as Engine::Read gives them. Batches without records for readers (markers of transactions,
/// what a compaction left of a batch) are stepped over.
/// Errors: kCorruption, with damage() where a batch alone is damaged and can be stepped over.
Result<ReadResult> DecodeFetched(const Fetched& fetched, const TopicPartition& partition, Offset begin,
                                 const ReadLimits& limits);

}  // namespace millrace::client
