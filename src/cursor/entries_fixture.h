// The entries that sources of this room's tests hold: batches of ten, each value "v".
#pragma once

#include <utility>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/read.h"
#include "millrace/record.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"

namespace millrace {

/// What a partition with entries up to `end` answers to a read from `begin`: the batch that holds it, none at the end.
inline BatchReadResult TenEntriesAround(Offset begin, Offset end) {
  BatchReadResult read{.next = begin, .high_watermark = end};
  if (begin >= end) return read;
  const Offset base(begin.value() / 10 * 10);
  Buffer batch = *BuildRecordBatch(std::vector<Record>(10, Record{.value = "v"}), {});
  StampBatch(batch.bytes(), base, LeaderEpoch(1));
  read.batches.push_back(std::move(batch).Freeze());
  read.next = base + 10;
  return read;
}

}  // namespace millrace
