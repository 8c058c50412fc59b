// Offsets that a disk took along, as a client sees them: by reads that step over them. A server tells of them in no
// other way, and nobody lags behind by them.
#pragma once

#include <cstdint>
#include <functional>

#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace::client {

/// Narrower ranges without records count as any other.
inline constexpr std::int64_t kWideGap = std::int64_t{1} << 31;

/// How many offsets of [begin, end) lie in wide gaps. `next`: the offset of the first record at or behind one, at least
/// that one; `end` if there is none. Errors: those of `next`. Cost: no call for a range narrower than a wide gap, else
/// some thirty for each gap.
Result<std::int64_t> OffsetsInWideGaps(Offset begin, Offset end, const std::function<Result<Offset>(Offset)>& next);

}  // namespace millrace::client
