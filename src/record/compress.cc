#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/coding.h"
#include "record/compressor.h"
#include "record/xerial.h"

namespace millrace {
namespace {

using Stored = std::vector<std::byte>;

Error Failed(const char* codec, const char* why) {
  return {ErrorCode::kInternal, std::string(codec) + " could not compress a batch: " + why};
}

Result<Stored> CompressGzip(std::span<const std::byte> raw) {
  constexpr int kGzipWindow = 15 + 16;  // zlib: 16 more asks for gzip framing
  constexpr int kMemory = 8;
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    return Failed("gzip", "no memory");
  Stored stored(deflateBound(&stream, raw.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(raw.data()));
  stream.avail_in = static_cast<uInt>(raw.size());
  stream.next_out = reinterpret_cast<Bytef*>(stored.data());
  stream.avail_out = static_cast<uInt>(stored.size());
  const int outcome = deflate(&stream, Z_FINISH);
  stored.resize(stream.total_out);
  deflateEnd(&stream);
  if (outcome != Z_STREAM_END) return Failed("gzip", "output did not fit its bound");
  return stored;
}

Result<Stored> CompressSnappy(std::span<const std::byte> raw) {
  const std::size_t blocks = (raw.size() + xerial::kBlockBytes - 1) / xerial::kBlockBytes;
  Stored stored(xerial::kHeaderBytes + blocks * (4 + snappy::MaxCompressedLength(xerial::kBlockBytes)));
  std::byte* at = std::ranges::copy(xerial::kMagic, stored.data()).out;
  PutBe(at, xerial::kVersion);
  PutBe(at + 4, xerial::kVersion);
  at += 8;
  for (std::size_t begin = 0; begin < raw.size(); begin += xerial::kBlockBytes) {
    const auto block = raw.subspan(begin, std::min(xerial::kBlockBytes, raw.size() - begin));
    std::size_t size = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(block.data()), block.size(), reinterpret_cast<char*>(at + 4),
                        &size);
    PutBe(at, static_cast<std::int32_t>(size));
    at += 4 + size;
  }
  stored.resize(static_cast<std::size_t>(at - stored.data()));
  return stored;
}

Result<Stored> CompressLz4(std::span<const std::byte> raw) {
  // Kafka's Java client refuses blocks that depend on each other.
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  Stored stored(LZ4F_compressFrameBound(raw.size(), &preferences));
  const std::size_t size = LZ4F_compressFrame(stored.data(), stored.size(), raw.data(), raw.size(), &preferences);
  if (LZ4F_isError(size) != 0) return Failed("lz4", LZ4F_getErrorName(size));
  stored.resize(size);
  return stored;
}

Result<Stored> CompressZstd(std::span<const std::byte> raw) {
  constexpr int kLevel = 3;
  Stored stored(ZSTD_compressBound(raw.size()));
  const std::size_t size = ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), kLevel);
  if (ZSTD_isError(size) != 0) return Failed("zstd", ZSTD_getErrorName(size));
  stored.resize(size);
  return stored;
}

}  // namespace

Result<Stored> Compress(Compression compression, std::span<const std::byte> raw) {
  switch (compression) {
    case Compression::kGzip:
      return CompressGzip(raw);
    case Compression::kSnappy:
      return CompressSnappy(raw);
    case Compression::kLz4:
      return CompressLz4(raw);
    case Compression::kZstd:
      return CompressZstd(raw);
    case Compression::kNone:
      break;
  }
  MR_CHECK(false, static_cast<int>(compression));
  return Failed("no codec", "none was named");
}

}  // namespace millrace
