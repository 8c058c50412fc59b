// Arithmetic every store needs: joining the pieces of a put, cutting a range at the object's end.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "millrace/bytes.h"
#include "millrace/object_store.h"
#include "millrace/result.h"

namespace millrace {

std::uint64_t TotalBytes(std::span<const SharedBytes> pieces);

/// One piece is shared, more are copied together.
SharedBytes JoinPieces(std::span<const SharedBytes> pieces);

/// How many bytes of `range` an object of `size_bytes` has. kOutOfRange if the range begins at or past its end.
Result<std::uint64_t> LengthWithin(ByteRange range, std::uint64_t size_bytes, std::string_view key);

}  // namespace millrace
