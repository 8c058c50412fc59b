#include "segment/block_codec.h"

#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "segment/segment_format.h"
#include "segment/segment_reader.h"

namespace millrace {
namespace {

namespace layout = segment_format::block;

constexpr int kZstdLevel = 3;

Error Damaged(const SegmentBlock& block, std::string_view why) {
  const std::uint64_t end = block.byte_begin + block.stored_bytes;
  return Error(ErrorCode::kCorruption, fmt::format("block of offsets [{}, {}), segment bytes [{}, {}), {}",
                                                   block.base.value(), block.end.value(), block.byte_begin, end, why))
      .WithDamage({.begin = block.base, .end = block.end, .byte_begin = block.byte_begin, .byte_end = end});
}

std::uint32_t BlockCrc(std::span<const std::byte> header, std::span<const std::byte> payload) {
  return Crc32c(payload, Crc32c(header.first(layout::kCrc)));
}

/// Most bytes that `stored` can grow to: no reader allocates for a false claim.
std::uint64_t RawBytesBound(SegmentCodec codec, std::span<const std::byte> stored) {
  if (codec == SegmentCodec::kLz4) return std::uint64_t{stored.size()} * 255 + 64;
  constexpr std::uint64_t kZstdBlockBytesMin = 4, kZstdBlockRawBytesMax = 128 << 10;
  return (stored.size() / kZstdBlockBytesMin + 1) * kZstdBlockRawBytesMax;
}

bool Decompress(SegmentCodec codec, std::span<const std::byte> stored, std::span<std::byte> raw) {
  if (codec == SegmentCodec::kLz4)
    return LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(raw.data()),
                               static_cast<int>(stored.size()),
                               static_cast<int>(raw.size())) == static_cast<int>(raw.size());
  return ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size()) == raw.size();
}

}  // namespace

struct BlockEncoder::State {
  explicit State(SegmentCodec codec) : codec(codec) {}
  const SegmentCodec codec;
  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> zstd{nullptr, ZSTD_freeCCtx};
  std::vector<std::byte> raw, compressed;
  /// The batches of a block side by side, as a codec wants them.
  std::span<const std::byte> Gather(std::span<const SharedBytes> batches) {
    if (batches.size() == 1) return batches.front();
    raw.clear();
    for (const SharedBytes& batch : batches) raw.insert(raw.end(), batch.bytes().begin(), batch.bytes().end());
    return raw;
  }

  /// None: it hardly shrinks, or is too long for the codec.
  std::optional<std::span<const std::byte>> Compress(std::span<const std::byte> from) {
    if (from.size() > LZ4_MAX_INPUT_SIZE) return {};
    std::size_t size = 0;
    if (codec == SegmentCodec::kLz4) {
      const auto from_size = static_cast<int>(from.size());
      const auto bound = static_cast<std::size_t>(LZ4_compressBound(from_size));
      if (compressed.size() < bound) compressed.resize(bound);
      const int made =
          LZ4_compress_default(reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(compressed.data()),
                               from_size, static_cast<int>(compressed.size()));
      if (made <= 0) return {};
      size = static_cast<std::size_t>(made);
    } else {
      if (!zstd) zstd.reset(ZSTD_createCCtx());
      MR_CHECK(zstd != nullptr);
      const std::size_t bound = ZSTD_compressBound(from.size());
      if (compressed.size() < bound) compressed.resize(bound);
      size = ZSTD_compressCCtx(zstd.get(), compressed.data(), compressed.size(), from.data(), from.size(), kZstdLevel);
      if (ZSTD_isError(size) != 0) return {};
    }
    if (!segment_format::ShrinksEnough(size, from.size())) return {};
    return std::span<const std::byte>(compressed).first(size);
  }
};

BlockEncoder::BlockEncoder(SegmentCodec codec) : state_(std::make_unique<State>(codec)) {}
BlockEncoder::~BlockEncoder() = default;

EncodedBlock BlockEncoder::Encode(std::span<const SharedBytes> batches, CompressionTrials& trials) {
  std::uint64_t raw_bytes = 0;
  for (const SharedBytes& batch : batches) raw_bytes += batch.size();
  MR_CHECK(raw_bytes > 0 && raw_bytes + layout::kHeaderBytes <= std::numeric_limits<std::uint32_t>::max(), raw_bytes);

  std::optional<std::span<const std::byte>> compressed;
  if (state_->codec != SegmentCodec::kNone && trials.Next()) {
    compressed = state_->Compress(state_->Gather(batches));
    trials.OnTried(compressed.has_value());
  }
  const SegmentCodec codec = compressed ? state_->codec : SegmentCodec::kNone;
  const std::uint64_t stored_bytes = compressed ? compressed->size() : raw_bytes;

  Buffer head(layout::kHeaderBytes + (compressed ? compressed->size() : 0));
  std::byte* at = head.bytes().data();
  std::ranges::copy(segment_format::kBlockMagic, at + layout::kMagic);
  at[layout::kCodec] = static_cast<std::byte>(codec);
  std::fill_n(at + layout::kZero, layout::kStoredBytes - layout::kZero, std::byte{0});
  PutLe(at + layout::kStoredBytes, static_cast<std::uint32_t>(stored_bytes));
  PutLe(at + layout::kRawBytes, static_cast<std::uint32_t>(raw_bytes));
  std::uint32_t crc = Crc32c(head.bytes().first(layout::kCrc));
  if (compressed) {
    std::ranges::copy(*compressed, at + layout::kHeaderBytes);
    crc = Crc32c(*compressed, crc);
  } else {
    for (const SharedBytes& batch : batches) crc = Crc32c(batch, crc);
  }
  PutLe(at + layout::kCrc, crc);

  EncodedBlock block{.bytes = static_cast<std::uint32_t>(layout::kHeaderBytes + stored_bytes),
                     .raw_bytes = static_cast<std::uint32_t>(raw_bytes),
                     .crc = crc};
  block.pieces.push_back(std::move(head).Freeze());
  if (!compressed) block.pieces.insert(block.pieces.end(), batches.begin(), batches.end());
  return block;
}

Result<void> CheckBlock(const SegmentBlock& block, std::span<const std::byte> bytes) {
  if (bytes.size() != block.stored_bytes || bytes.size() < layout::kHeaderBytes)
    return Damaged(block, fmt::format("has {} bytes", bytes.size()));
  const auto payload = bytes.subspan(layout::kHeaderBytes);
  const auto stored_crc = GetLe<std::uint32_t>(bytes.data() + layout::kCrc);
  const std::uint32_t found_crc = BlockCrc(bytes, payload);
  if (stored_crc != found_crc)
    return Damaged(block, fmt::format("fails its CRC (stored {:08x}, found {:08x})", stored_crc, found_crc));
  if (stored_crc != block.crc) return Damaged(block, "is not the one the index names");
  return {};
}

std::uint32_t StoredCrc(const SegmentBlock& block, std::span<const std::byte> stored, std::uint32_t before) {
  // The block's CRC goes on from its head's as the sum goes on from the head with the CRC in it: the difference moves
  // behind the payload as it is.
  const std::uint32_t head = Crc32c(stored.first(layout::kCrc));
  const std::uint32_t here = Crc32c(stored.first(layout::kHeaderBytes), before);
  return Crc32cJoined(head ^ here, block.crc, stored.size() - layout::kHeaderBytes);
}

Result<SharedBytes> OpenBlock(const SegmentBlock& block, const SharedBytes& stored) {
  MR_TRY(CheckBlock(block, stored));
  const auto bytes = stored.bytes();
  const auto payload = bytes.subspan(layout::kHeaderBytes);
  if (!std::ranges::equal(bytes.first(segment_format::kBlockMagic.size()), segment_format::kBlockMagic))
    return Damaged(block, "does not begin with a block's magic");
  const auto codec = std::to_integer<unsigned>(bytes[layout::kCodec]);
  if (codec > static_cast<unsigned>(SegmentCodec::kZstd))
    return Damaged(block, fmt::format("has unknown codec {}", codec));
  const auto raw_bytes = GetLe<std::uint32_t>(bytes.data() + layout::kRawBytes);
  if (GetLe<std::uint32_t>(bytes.data() + layout::kStoredBytes) != payload.size() || raw_bytes != block.raw_bytes)
    return Damaged(block, "has lengths that disagree");
  if (codec == static_cast<unsigned>(SegmentCodec::kNone)) {
    if (raw_bytes != payload.size()) return Damaged(block, "has lengths that disagree");
    return stored.Slice(layout::kHeaderBytes, payload.size());
  }
  const auto segment_codec = static_cast<SegmentCodec>(codec);
  if (raw_bytes > LZ4_MAX_INPUT_SIZE || payload.size() > LZ4_MAX_INPUT_SIZE ||
      raw_bytes > RawBytesBound(segment_codec, payload))
    return Damaged(block, "claims more than its bytes can hold");
  Buffer raw(raw_bytes);
  if (!Decompress(segment_codec, payload, raw.bytes())) return Damaged(block, "does not decompress");
  return std::move(raw).Freeze();
}

}  // namespace millrace
