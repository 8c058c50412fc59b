// Records in, one RecordBatch v2 out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "millrace/bytes.h"
#include "millrace/options.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

struct BatchBuildOptions {
  Compression compression = Compression::kNone;
  std::int64_t now_ms = 0;                   // for records whose timestamp is 0
  std::uint64_t record_bytes_max = 1 << 20;  // key + value + headers of one record
  std::uint64_t batch_bytes_max = 16 << 20;  // of the whole batch, before compression
  std::optional<ProducerStamp> producer;     // who appends it, and the number of its first record
};

/// One batch with base offset 0 and epoch 0, to be stamped later. Precondition: not empty.
/// Errors: kInvalidArgument (a limit; names the record and the limit; a producer's number below 0). Cost: one pass to
/// size, one to write, one CRC; one allocation without compression.
Result<Buffer> BuildRecordBatch(std::span<const Record> records, const BatchBuildOptions& options);

/// Writes who appends it, and the number of its first record, into a batch that was built. Precondition: a whole batch.
/// Cost: one CRC over it.
void StampProducer(std::span<std::byte> batch, const ProducerStamp& producer);

}  // namespace millrace
