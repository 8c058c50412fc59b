// Lines of input gathered into one batch per partition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/record_lines.h"
#include "millrace/engine.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

/// Not thread-safe. Records are reused from batch to batch, with their memory.
class RecordBatches {
 public:
  /// `partition`: all go there; otherwise by key, and those without one together to the next partition in turn.
  RecordBatches(Engine& engine, std::string topic, std::int32_t partitions, std::optional<PartitionId> partition,
                const LineOptions& lines);

  /// Takes whole lines off the front of `lines`, at most `records_max`. The batches before are forgotten. Error:
  /// kInvalidArgument, naming the number of the line; the lines before it are in the batches.
  Result<void> Fill(std::string_view& lines, std::size_t records_max);

  struct Batch {
    TopicPartition partition;
    std::span<const Record> records;
  };
  /// Those that are not empty, by partition.
  [[nodiscard]] std::vector<Batch> batches() const;
  [[nodiscard]] std::uint64_t lines_taken() const { return lines_taken_; }

 private:
  struct Gathered {
    std::vector<Record> records;
    std::size_t count = 0;
    Record& Next();
  };
  Result<std::size_t> PartitionOf(const Record& record, std::optional<PartitionId>& keyless);

  Engine& engine_;
  const std::string topic_;
  const std::optional<PartitionId> fixed_;
  const LineOptions lines_;
  std::vector<Gathered> gathered_;  // by partition
  Record spare_;                    // of a line whose partition is not known before it is read
  std::uint64_t lines_taken_ = 0;
};

}  // namespace millrace
