#include "store/object_pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace millrace {

std::uint64_t TotalBytes(std::span<const SharedBytes> pieces) {
  std::uint64_t total = 0;
  for (const SharedBytes& piece : pieces) total += piece.size();
  return total;
}

SharedBytes JoinPieces(std::span<const SharedBytes> pieces) {
  if (pieces.size() == 1) return pieces.front();
  Buffer joined(TotalBytes(pieces));
  std::size_t at = 0;
  for (const SharedBytes& piece : pieces) {
    if (!piece.empty()) std::memcpy(joined.bytes().data() + at, piece.data(), piece.size());
    at += piece.size();
  }
  return std::move(joined).Freeze();
}

Result<std::uint64_t> LengthWithin(ByteRange range, std::uint64_t size_bytes, std::string_view key) {
  if (range.offset >= size_bytes) {
    return Error(ErrorCode::kOutOfRange,
                 fmt::format("object {} has {} bytes; byte {} was asked for", key, size_bytes, range.offset));
  }
  return std::min(range.length, size_bytes - range.offset);
}

}  // namespace millrace
