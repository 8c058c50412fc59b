// Where each field of a RecordBatch v2 lies; docs/format/record-batch.md draws it. All fields are big-endian.
//
//   0        8       12      16   17   21      23      27       35       43       51       53       57     61
//   | base   | batch | epoch | 2  | crc| attri-| last  | base   | max    | producer        | base   | count| records
//   | offset | length|       |    |    | butes | delta | time   | time   | id     | epoch  | seq.   |      |
//   '------ not under the CRC -----'    '------------------- under the CRC ----------------------------------------
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

inline constexpr std::size_t kBatchHeaderBytes = 61;        // up to and with the record count
inline constexpr std::size_t kBatchLengthPrefixBytes = 12;  // base offset and length, which the length does not count

namespace batch_layout {

inline constexpr std::size_t kBaseOffset = 0;
inline constexpr std::size_t kLength = 8;
inline constexpr std::size_t kLeaderEpoch = 12;
inline constexpr std::size_t kMagic = 16;
inline constexpr std::size_t kCrc = 17;
inline constexpr std::size_t kAttributes = 21;
inline constexpr std::size_t kLastOffsetDelta = 23;
inline constexpr std::size_t kBaseTimestamp = 27;
inline constexpr std::size_t kMaxTimestamp = 35;
inline constexpr std::size_t kProducerId = 43;
inline constexpr std::size_t kProducerEpoch = 51;
inline constexpr std::size_t kBaseSequence = 53;
inline constexpr std::size_t kRecordCount = 57;
inline constexpr std::size_t kRecords = 61;

static_assert(kRecords == kBatchHeaderBytes);
static_assert(kLeaderEpoch == kBatchLengthPrefixBytes);

inline constexpr std::int8_t kMagicV2 = 2;

inline constexpr std::int16_t kCodecMask = 0x07;
inline constexpr std::int16_t kLogAppendTime = 0x08;
inline constexpr std::int16_t kTransactional = 0x10;
inline constexpr std::int16_t kControl = 0x20;

/// Length, attributes, timestamp delta, offset delta, key length, value length and header count, a byte each.
inline constexpr std::size_t kRecordBytesMin = 7;

}  // namespace batch_layout
}  // namespace millrace
