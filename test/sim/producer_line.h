// What one producer has sent to one partition, and what it was told of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "millrace/engine.h"

namespace millrace::sim {

struct Batch {
  std::int16_t epoch = 0;
  std::int32_t sequence = 0;
  std::vector<Record> records;
  std::optional<AppendReceipt> receipt;  // the first
};

/// What one producer sends to one partition.
struct Line {
  std::size_t producer = 0;
  TopicPartition to;
  std::int64_t id = 0;
  std::int16_t epoch = 0;
  std::int32_t next = 0;
  std::vector<Batch> batches;
  std::size_t epoch_begin = 0;  // the first batch of this epoch
  bool stalled = false;         // a batch was refused or lost its connection: nothing new before it is sent again

  [[nodiscard]] std::size_t unanswered() const {
    std::size_t first = 0;
    while (first < batches.size() && batches[first].receipt) ++first;
    return first;
  }
  [[nodiscard]] bool all_answered() const { return unanswered() == batches.size(); }
};

}  // namespace millrace::sim
