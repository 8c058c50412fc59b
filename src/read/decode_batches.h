// From whole batches to the records asked for.
#pragma once

#include <cstddef>

#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace {

/// Of one batch when inflated: well above what a log takes, as a guard against bytes that lie.
inline constexpr std::size_t kDecodedBytesMax = std::size_t{1} << 30;

/// Records of `batches` with offset >= begin, at most limits.records_max; `next` follows the last one, or the last
/// batch if all came. A batch that cannot be decoded is damage: stopped before, reported if it is the first, or stepped
/// over, as limits.on_damage says.
Result<ReadResult> DecodeBatches(BatchReadResult batches, Offset begin, const ReadLimits& limits,
                                 const TopicPartition& name);

}  // namespace millrace
