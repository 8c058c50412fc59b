// Lines of input gathered into one batch per partition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/records/record_lines.h"
#include "client/log.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

/// What happens to a line whose record is larger than one may be.
enum class OnLongLine { kFail, kSkip, kTruncate };
enum class LineCut { kNo, kYes };

/// Not thread-safe. Records are reused from batch to batch, with their memory.
class RecordBatches {
 public:
  struct Options {
    std::string topic;
    std::int32_t partitions = 1;
    std::optional<PartitionId> partition;  // all go there; otherwise by key, and those without one together to the
    std::int32_t first_keyless = 0;        // next partition in turn, this one first
    OnLongLine on_long_line = OnLongLine::kFail;
    AppendBounds bounds;
    std::string_view raise_limit;  // how a user raises what a record may have; "": not at all
  };
  RecordBatches(Options options, const LineOptions& lines);

  /// Takes whole lines off the front of `lines`, at most `records_max` and what fits a batch of each partition. The
  /// batches before are forgotten. Error: kInvalidArgument, naming the number of the line; the lines before it are in
  /// the batches.
  Result<void> Fill(std::string_view& lines, std::size_t records_max);
  /// Takes a line that was cut because it is longer than any that could be read. As Fill: one record, or none.
  Result<void> FillCut(std::string_view line);

  struct Batch {
    TopicPartition partition;
    std::span<const Record> records;
    std::uint64_t bytes;  // encoded, or a little less than this
  };
  /// Those that are not empty, by partition.
  [[nodiscard]] std::vector<Batch> batches() const;
  /// Lines that were too long, and were left out or cut; the number of the first (0: none was).
  struct LongLines {
    std::uint64_t count = 0, first = 0;
  };
  [[nodiscard]] LongLines long_lines() const { return long_lines_; }

 private:
  struct Gathered {
    std::vector<Record> records;
    std::size_t count = 0;
    std::uint64_t bytes = 0;
  };
  enum class Taken { kYes, kLeftOut, kFull };
  void Forget();
  Result<Taken> Take(std::string_view line, LineCut cut);
  Result<Taken> Shorten(Record& record, LineCut cut);
  std::size_t PartitionOf(const Record& record);

  const Options options_;
  const std::optional<PartitionId> fixed_;
  const LineOptions lines_;
  std::vector<Gathered> gathered_;  // by partition
  Record spare_;                    // of a line whose partition is not known before it is read
  std::int32_t keyless_;            // of the batch being filled
  bool keyless_used_ = false;
  std::uint64_t lines_taken_ = 0;
  LongLines long_lines_;
};

}  // namespace millrace
