#include "client/wide_gaps.h"

#include <algorithm>

#include "base/try.h"

namespace millrace::client {

Result<std::int64_t> OffsetsInWideGaps(Offset begin, Offset end, const std::function<Result<Offset>(Offset)>& next) {
  if (end - begin < kWideGap) return 0;
  const auto record_from = [&](Offset at) -> Result<Offset> {
    MR_ASSIGN_OR_RETURN(const Offset found, next(at));
    return std::clamp(found, at, end);
  };
  const Offset middle = begin + (end - begin) / 2;
  MR_ASSIGN_OR_RETURN(const Offset behind, record_from(middle));
  // Where what has no record around the middle begins: at the first offset behind which the same record comes next.
  Offset from = begin, gap = middle;
  while (from < gap) {
    const Offset at = from + (gap - from) / 2;
    MR_ASSIGN_OR_RETURN(const Offset found, record_from(at));
    if (found == behind) {
      gap = at;
    } else {
      from = found + 1;
    }
  }
  // The record in the middle, if there is one, is no gap; both sides are shorter than the whole.
  MR_ASSIGN_OR_RETURN(const std::int64_t before, OffsetsInWideGaps(begin, gap, next));
  MR_ASSIGN_OR_RETURN(const std::int64_t after, OffsetsInWideGaps(std::max(behind, middle + 1), end, next));
  return before + (behind - gap >= kWideGap ? behind - gap : 0) + after;
}

}  // namespace millrace::client
