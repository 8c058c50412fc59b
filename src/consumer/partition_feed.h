// One partition of one consumer: reads ahead of the position by one read, hands out records, judges where it may stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/options.h"
#include "millrace/read.h"
#include "millrace/record.h"
#include "millrace/result.h"
#include "read/partition_source.h"

namespace millrace {

/// One thread at a time.
class PartitionFeed {
 public:
  PartitionFeed(PartitionSource& source, ResetPolicy reset, const ReadLimits& limits)
      : source_(source), reset_(reset), limits_(limits) {}

  /// Where the group left off; none: log_start.
  Result<void> Start(std::optional<Offset> committed);
  /// Without I/O; the next Fill judges it.
  void Seek(Offset position);
  /// Reads if nothing is buffered. True: there is something to take. Errors leave the position where it is.
  Result<bool> Fill();
  /// Whether Fill would have to wait for the object store.
  [[nodiscard]] bool MayWait() const { return taken_ == buffer_.size() && !filled_ && source_.MayWait(read_from_); }
  /// Fill on any one thread; the next Fill gives its result.
  void FillAhead() { filled_ = Fill(); }
  /// The next buffered record. Precondition: Fill said true.
  RecordView Take();
  /// Nothing is read any more.
  void Close();
  /// Lets go of what is buffered.
  void Drop();
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - taken_; }

  /// One past the last record taken.
  [[nodiscard]] Offset position() const { return position_; }
  /// Where the next read begins: what to wait for.
  [[nodiscard]] Offset read_from() const { return read_from_; }
  [[nodiscard]] PartitionSource& source() const { return source_; }
  [[nodiscard]] const ReadExplanation& explanation() const { return explanation_; }
  /// What was stepped over since the last call.
  std::vector<DamagedRange> TakeSkipped() { return std::exchange(skipped_, {}); }

 private:
  Result<void> Reset(OffsetBounds bounds);

  PartitionSource& source_;
  const ResetPolicy reset_;
  const ReadLimits limits_;
  Offset position_, read_from_;
  bool sought_ = false;  // the caller chose the position: no reset moves it
  std::vector<RecordView> buffer_;
  std::size_t taken_ = 0;
  std::vector<DamagedRange> skipped_;
  ReadExplanation explanation_;
  std::optional<Result<bool>> filled_;  // by FillAhead, not told yet
};

}  // namespace millrace
