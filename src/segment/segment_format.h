// The numbers of the segment format; docs/format/segment.md is its grammar and shows one byte by byte. Little-endian.
//
//   segment = block+ index footer
//   block   = "MRB1", codec u8, 0 u8 x 3, stored u32, raw u32, crc u32, stored bytes of batches
//   index   = entry per block
//   entry   = base i64, end i64, min time i64, max time i64, block bytes u32, raw u32, block crc u32, records u32
//   footer  = topic i64, partition i32, blocks u32, base i64, end i64, min time i64, max time i64, records u64,
//             segment bytes u64, index crc u32, version u32, crc u32, "MRS1"
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace millrace::segment_format {

inline constexpr std::uint32_t kVersion = 1;

using Magic = std::array<std::byte, 4>;
inline constexpr Magic kBlockMagic{std::byte{'M'}, std::byte{'R'}, std::byte{'B'}, std::byte{'1'}};
inline constexpr Magic kFooterMagic{std::byte{'M'}, std::byte{'R'}, std::byte{'S'}, std::byte{'1'}};

namespace block {
inline constexpr std::size_t kMagic = 0;
inline constexpr std::size_t kCodec = 4;
inline constexpr std::size_t kZero = 5;  // three bytes
inline constexpr std::size_t kStoredBytes = 8;
inline constexpr std::size_t kRawBytes = 12;
inline constexpr std::size_t kCrc = 16;  // of everything before, then of the payload
inline constexpr std::size_t kHeaderBytes = 20;
}  // namespace block

namespace entry {
inline constexpr std::size_t kBase = 0;
inline constexpr std::size_t kEnd = 8;
inline constexpr std::size_t kTimestampMin = 16;
inline constexpr std::size_t kTimestampMax = 24;
inline constexpr std::size_t kBlockBytes = 32;
inline constexpr std::size_t kRawBytes = 36;
inline constexpr std::size_t kBlockCrc = 40;
inline constexpr std::size_t kRecords = 44;
inline constexpr std::size_t kBytes = 48;
}  // namespace entry

namespace footer {
inline constexpr std::size_t kTopic = 0;
inline constexpr std::size_t kPartition = 8;
inline constexpr std::size_t kBlocks = 12;
inline constexpr std::size_t kBase = 16;
inline constexpr std::size_t kEnd = 24;
inline constexpr std::size_t kTimestampMin = 32;
inline constexpr std::size_t kTimestampMax = 40;
inline constexpr std::size_t kRecords = 48;
inline constexpr std::size_t kSegmentBytes = 56;
inline constexpr std::size_t kIndexCrc = 64;
inline constexpr std::size_t kVersion = 68;
inline constexpr std::size_t kCrc = 72;  // of everything before
inline constexpr std::size_t kMagic = 76;
inline constexpr std::size_t kBytes = 80;
}  // namespace footer

/// Nothing shorter can be a segment.
inline constexpr std::size_t kSegmentBytesMin = block::kHeaderBytes + entry::kBytes + footer::kBytes;

/// A compressed block must be at most 7/8 of its raw size; else the time to undo the codec is not worth its bytes.
constexpr bool ShrinksEnough(std::size_t stored_bytes, std::size_t raw_bytes) {
  return stored_bytes <= raw_bytes - raw_bytes / 8;
}

}  // namespace millrace::segment_format
