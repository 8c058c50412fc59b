// What the WAL holds of one partition, as a note at its clean close: stands for the frames when it is opened again.
//
//   0  stream u64
//   8  begin i64           first offset
//   16 end i64             behind the last one
//   24 wal_end i64         where its last frame ends
//   32 bytes_total u64     of the index
//   40 entry_count u64
//   48 entries             base i64, begin i64, bytes_before u64, timestamp_max_ms i64, appended_ms i64
//
// Under the checksum of the whole note. All integers little-endian.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "log/wal_index.h"
#include "millrace/types.h"
#include "wal/wal.h"

namespace millrace {

struct PartitionSnapshot {
  WalStream stream;
  Offset begin, end;
  WalIndex index;
};

void EncodePartitionSnapshot(const PartitionSnapshot& snapshot, std::vector<std::byte>& out);
/// Takes one snapshot from the front of `bytes`. None: it is not whole, or its entries do not ascend.
std::optional<PartitionSnapshot> DecodePartitionSnapshot(std::span<const std::byte>& bytes);

}  // namespace millrace
