#include <libdeflate.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "base/bugs.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/try.h"
#include "record/compressor.h"
#include "record/xerial.h"

namespace millrace {
namespace {

using Stored = std::span<const std::byte>;

Error Malformed(const char* codec, std::string_view why) {
  return {ErrorCode::kCorruption, "compressed records: " + std::string(codec) + ": " + std::string(why)};
}

Error TooLarge(std::size_t bytes_max) {
  return {ErrorCode::kInvalidArgument, "compressed records: more than " + std::to_string(bytes_max) +
                                           " bytes when inflated. Raise batch_bytes_max to read them"};
}

/// Room for the output when its size is only claimed, or not known at all: what the stored bytes make likely, doubled
/// up to `bytes_max` when it was too little. A false claim costs address space in proportion to what was received.
class Room {
 public:
  Room(std::size_t stored_bytes, std::optional<std::uint64_t> claimed, std::size_t bytes_max) : bytes_max_(bytes_max) {
    constexpr std::size_t kLikelyRatio = 6, kBelievableRatio = 64, kSmall = 16 << 10;
    std::size_t size = stored_bytes * kLikelyRatio + kSmall;
    if (claimed) size = std::min<std::uint64_t>(*claimed, stored_bytes * kBelievableRatio + kSmall);
    buffer_ = Buffer(std::min(size, bytes_max));
  }
  [[nodiscard]] std::span<std::byte> bytes() { return buffer_.bytes(); }
  /// False: it is as large as it may be. Keeps the first `used` bytes.
  [[nodiscard]] bool Grow(std::size_t used) {
    if (buffer_.size() >= bytes_max_) return false;
    Buffer larger(std::min(bytes_max_, std::max<std::size_t>(buffer_.size() * 2, 64)));
    if (used != 0) std::memcpy(larger.bytes().data(), buffer_.bytes().data(), used);
    buffer_ = std::move(larger);
    return true;
  }
  [[nodiscard]] SharedBytes Take(std::size_t used) && {
    // Views keep the whole buffer alive for as long as they live: a poor guess must not stay.
    if (used < buffer_.size() / 2) return SharedBytes::Copy(buffer_.bytes().first(used));
    buffer_.Shrink(used);
    return std::move(buffer_).Freeze();
  }

 private:
  std::size_t bytes_max_;
  Buffer buffer_;
};

Result<SharedBytes> InflateGzip(Stored stored, std::size_t bytes_max) {
  std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> codec(libdeflate_alloc_decompressor(),
                                                                                     libdeflate_free_decompressor);
  MR_CHECK(codec != nullptr);
  // The last four bytes of a member claim its size.
  std::optional<std::uint64_t> claimed;
  if (stored.size() >= 18) claimed = GetLe<std::uint32_t>(stored.data() + stored.size() - 4);
  Room room(stored.size(), claimed, bytes_max);
  std::size_t used = 0;
  do {  // a member each
    std::size_t taken = 0, made = 0;
    const auto free = room.bytes().subspan(used);
    const auto outcome = libdeflate_gzip_decompress_ex(codec.get(), stored.data(), stored.size(), free.data(),
                                                       free.size(), &taken, &made);
    if (outcome == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (!room.Grow(used)) return TooLarge(bytes_max);
      continue;
    }
    if (outcome != LIBDEFLATE_SUCCESS) return Malformed("gzip", "bad data");
    used += made;
    stored = stored.subspan(taken);
  } while (!stored.empty());
  return std::move(room).Take(used);
}

/// The size a raw snappy block says it has, or an error.
Result<std::size_t> SnappySize(Stored block, std::size_t room, std::size_t bytes_max) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(reinterpret_cast<const char*>(block.data()), block.size(), &size))
    return Malformed("snappy", "no length");
  if (size > room) return TooLarge(bytes_max);
  // An element of 3 bytes makes at most 64; a block that claims more lies.
  if (size > block.size() * 64) return Malformed("snappy", "a length beyond what the bytes can hold");
  return size;
}

Result<void> InflateSnappyBlock(Stored block, std::byte* to) {
  if (!snappy::RawUncompress(reinterpret_cast<const char*>(block.data()), block.size(), reinterpret_cast<char*>(to)))
    return Malformed("snappy", "bad data");
  return {};
}

/// Calls `visit(block)` for each block in xerial framing.
template <class Visit>
Result<void> ForEachXerialBlock(Stored stored, Visit visit) {
  stored = stored.subspan(xerial::kHeaderBytes);
  while (!stored.empty()) {
    if (stored.size() < 4) return Malformed("snappy", "a block length cut short");
    const auto size = GetBe<std::uint32_t>(stored.data());
    stored = stored.subspan(4);
    if (size > stored.size()) return Malformed("snappy", "a block beyond the end");
    MR_TRY(visit(stored.first(size)));
    stored = stored.subspan(size);
  }
  return {};
}

Result<SharedBytes> InflateSnappy(Stored stored, std::size_t bytes_max) {
  const bool framed =
      stored.size() >= xerial::kHeaderBytes && std::ranges::equal(stored.first(xerial::kMagic.size()), xerial::kMagic);
  if (!framed) {
    MR_ASSIGN_OR_RETURN(const std::size_t size, SnappySize(stored, bytes_max, bytes_max));
    Buffer raw(size);
    MR_TRY(InflateSnappyBlock(stored, raw.bytes().data()));
    return std::move(raw).Freeze();
  }
  std::size_t total = 0;
  MR_TRY(ForEachXerialBlock(stored, [&](Stored block) -> Result<void> {
    MR_ASSIGN_OR_RETURN(const std::size_t size, SnappySize(block, bytes_max - total, bytes_max));
    total += size;
    return {};
  }));
  Buffer raw(total);
  std::byte* at = raw.bytes().data();
  MR_TRY(ForEachXerialBlock(stored, [&](Stored block) -> Result<void> {
    MR_ASSIGN_OR_RETURN(const std::size_t size, SnappySize(block, bytes_max, bytes_max));
    MR_TRY(InflateSnappyBlock(block, at));
    at += size;
    return {};
  }));
  return std::move(raw).Freeze();
}

Result<SharedBytes> InflateLz4(Stored stored, std::size_t bytes_max) {
  LZ4F_dctx* created = nullptr;
  MR_CHECK(LZ4F_isError(LZ4F_createDecompressionContext(&created, LZ4F_VERSION)) == 0);
  std::unique_ptr<LZ4F_dctx, std::size_t (*)(LZ4F_dctx*)> context(created, LZ4F_freeDecompressionContext);
  Room room(stored.size(), {}, bytes_max);
  std::size_t used = 0, wanted = 1;
  while (true) {
    const auto free = room.bytes().subspan(used);
    std::size_t made = free.size(), taken = stored.size();
    wanted = LZ4F_decompress(context.get(), free.data(), &made, stored.data(), &taken, nullptr);
    if (LZ4F_isError(wanted) != 0) return Malformed("lz4", LZ4F_getErrorName(wanted));
    used += made;
    stored = stored.subspan(taken);
    if (stored.empty() && wanted == 0) break;
    if (made != 0 || taken != 0) continue;
    // No progress: out of input within a frame, or out of room.
    if (used < room.bytes().size()) return Malformed("lz4", "the frame is cut short");
    if (!room.Grow(used)) return TooLarge(bytes_max);
  }
  return std::move(room).Take(used);
}

Result<SharedBytes> InflateZstd(Stored stored, std::size_t bytes_max) {
  // Whole frames into one buffer: no window is allocated, whatever a frame claims to need.
  std::optional<std::uint64_t> claimed;
  const auto content = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (content == ZSTD_CONTENTSIZE_ERROR) return Malformed("zstd", "no frame");
  if (content != ZSTD_CONTENTSIZE_UNKNOWN) claimed = content;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  MR_CHECK(context != nullptr);
  Room room(stored.size(), claimed, bytes_max);
  while (true) {
    const auto free = room.bytes();
    const std::size_t made = ZSTD_decompressDCtx(context.get(), free.data(), free.size(), stored.data(), stored.size());
    if (ZSTD_isError(made) == 0) return std::move(room).Take(made);
    if (ZSTD_getErrorCode(made) != ZSTD_error_dstSize_tooSmall) return Malformed("zstd", ZSTD_getErrorName(made));
    if (!room.Grow(0)) return TooLarge(bytes_max);
  }
}

}  // namespace

Result<SharedBytes> Inflate(Compression compression, std::span<const std::byte> stored, std::size_t bytes_max) {
  if (Planted(Bug::kWireUncappedDecoding)) bytes_max = std::size_t{1} << 30;
  switch (compression) {
    case Compression::kGzip:
      return InflateGzip(stored, bytes_max);
    case Compression::kSnappy:
      return InflateSnappy(stored, bytes_max);
    case Compression::kLz4:
      return InflateLz4(stored, bytes_max);
    case Compression::kZstd:
      return InflateZstd(stored, bytes_max);
    case Compression::kNone:
      break;
  }
  MR_CHECK(false, static_cast<int>(compression));
  return SharedBytes();
}

}  // namespace millrace
