// What is checked of a batch before a server lets it into the log: the header and the CRC always, the records where a
// caller asks for it. Each fault has a name of its own, since a client is told which it was.
//
//   0        8       12      16   17   21                              61
//   | base   | length| epoch | 2  | crc| attributes … record count      | records                 |
//                                      '-------- head_crc -------------''------ records_crc ------'   joined: crc
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "millrace/options.h"
#include "millrace/result.h"
#include "record/record_batch_view.h"

namespace millrace {

/// Why a batch is refused. In the order in which they are looked for; Kafka's answer stands beside each.
enum class BatchFault {
  kNone,
  kNoBatch,         // 87: no bytes
  kCutShort,        // 87: ends within its head, or before its own length
  kOldMagic,        // 87: magic 0 or 1
  kUnknownMagic,    // 2: magic 3 and above, or below 0
  kLength,          // 2: a length that no batch has
  kSecondBatch,     // 87: bytes follow the batch
  kBaseOffset,      // 87: base offset is not 0
  kTooLarge,        // 10: more than batch_bytes_max
  kCrc,             // 2
  kCodec,           // 87: codec 5 to 7, LZ4 with linked blocks
  kCount,           // 87: count <= 0, last offset delta + 1 != count, or more records than the bytes can hold
  kControl,         // 87: only the log writes control batches
  kTransactional,   // 48: transactions are not there yet (53 without a transactional id)
  kSequence,        // 87: producer id >= 0 with a base sequence below 0
  kTimeType,        // 32: the bit that says LogAppendTime, which only the log sets
  kTimestamp,       // 32: outside timestamp_min_ms and timestamp_max_ms
  kRecords,         // 87: a record is malformed, or its delta is not its number; under BatchCheck::kRecords
  kRecordTooLarge,  // 10: a record beyond record_bytes_max, or more than inflated_bytes_max when inflated; ditto
  kNullKey,         // 87: with require_keys, a record has none; ditto
};
/// "kCrc" for BatchFault::kCrc.
std::string_view BatchFaultName(BatchFault fault);

/// kHeader: sizes, magic, CRC, counts. kRecords: and every record, inflated under a cap.
enum class BatchCheck { kHeader, kRecords };

/// What a topic and its engine ask of a batch. None of an optional: not asked.
struct BatchDemands {
  BatchCheck check = BatchCheck::kHeader;
  std::uint64_t batch_bytes_max = (1 << 20) + 12;  // as sent, head included: a topic's max.message.bytes
  /// Of the first record and of the header's maximum (under kRecords of every record). -1, no time, always passes.
  std::optional<std::int64_t> timestamp_min_ms, timestamp_max_ms;
  bool records_crc = false;  // BatchFacts::records_crc is wanted; a batch of 16 KiB and more has it anyway
  // Under kRecords.
  std::uint64_t record_bytes_max = 1 << 20;
  std::uint64_t inflated_bytes_max = 16 << 20;
  bool require_keys = false;  // a compacted topic
};

/// What was found on the way.
struct BatchFacts {
  std::size_t size_bytes = 0;
  std::int32_t record_count = 0;
  Compression compression = Compression::kNone;
  std::int64_t base_timestamp_ms = 0, max_timestamp_ms = 0;  // as the header claims
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  std::optional<std::uint32_t> records_crc;  // CRC-32C of the bytes from 61 on
  std::optional<std::int64_t> latest_ms;     // of the records themselves; under kRecords
};

struct BatchVerdict {
  BatchFault fault = BatchFault::kNone;
  BatchFacts facts;                    // whole if there is no fault, and as far as it was looked at otherwise
  std::optional<std::int32_t> record;  // which record, counted from 0; of faults of one record
  std::string message;                 // for people; "" without a fault

  [[nodiscard]] bool ok() const { return fault == BatchFault::kNone; }
};

/// Checks `bytes`, which should be exactly one batch as a producer sent it. Allocates nothing under kHeader but the
/// message of a fault. Cost: one pass for the CRC; under kRecords one more over the records, inflated if compressed.
BatchVerdict CheckBatch(std::span<const std::byte> bytes, const BatchDemands& demands);

/// Gives a checked batch the log's time: sets the bit, makes `now_ms` its maximum timestamp and so the time of each of
/// its records, and its CRC anew. `records_crc`: BatchFacts' of this batch. Cost: a CRC of 40 bytes and one joining of
/// two CRCs, about that of 4 KiB, whatever its length. May be repeated with another time.
void StampLogAppendTime(std::span<std::byte> batch, std::int64_t now_ms, std::uint32_t records_crc);

}  // namespace millrace
