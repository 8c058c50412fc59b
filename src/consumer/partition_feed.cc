#include "consumer/partition_feed.h"

#include <fmt/format.h>

#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"

namespace millrace {

Result<void> PartitionFeed::Start(std::optional<Offset> committed) {
  const OffsetBounds bounds = source_.bounds();
  position_ = read_from_ = committed.value_or(bounds.log_start);
  const bool outside = position_ < bounds.log_start || position_ > bounds.end;
  // Under kFail the first Fill says so; until then the caller may seek.
  if (outside && reset_ != ResetPolicy::kFail) return Reset(bounds);
  return {};
}

void PartitionFeed::Seek(Offset position) {
  if (position != read_from_) source_.Abandon(read_from_);
  position_ = read_from_ = position;
  sought_ = true;
  Drop();
}

Result<void> PartitionFeed::Reset(OffsetBounds bounds) {
  switch (reset_) {
    case ResetPolicy::kEarliest:
      position_ = read_from_ = bounds.log_start;
      return {};
    case ResetPolicy::kLatest:
      position_ = read_from_ = bounds.end;
      return {};
    case ResetPolicy::kFail:
      break;
  }
  if (Planted(Bug::kPositionClampedSilently)) {
    position_ = read_from_ = bounds.log_start;
    return {};
  }
  const TopicPartition& name = source_.name();
  return Error(ErrorCode::kOutOfRange,
               fmt::format("position {} of {}/{} is outside the log, which has [{}, {})", position_.value(), name.topic,
                           name.partition.value(), bounds.log_start.value(), bounds.end.value()),
               "seek to an offset the log has, or choose a reset policy other than kFail")
      .WithBounds(bounds);
}

Result<bool> PartitionFeed::Fill() {
  if (filled_) return *std::exchange(filled_, std::nullopt);
  if (taken_ < buffer_.size()) return true;
  for (bool again = true;; again = false) {
    auto read = source_.Read(read_from_, limits_);
    if (read) {
      sought_ = false;
      read_from_ = read->next;
      taken_ = 0;
      buffer_ = std::move(read->records);
      skipped_.insert(skipped_.end(), read->skipped.begin(), read->skipped.end());
      explanation_.Add(read->explanation);
      return !buffer_.empty();
    }
    // Overtaken by retention, unless the caller asked for just this position.
    if (read.error().code() != ErrorCode::kOutOfRange || sought_ || !again) return std::move(read).error();
    MR_TRY(Reset(read.error().bounds().value_or(source_.bounds())));
  }
}

RecordView PartitionFeed::Take() {
  MR_DCHECK(taken_ < buffer_.size());
  RecordView record = std::move(buffer_[taken_++]);
  position_ = record.offset + 1;
  if (taken_ == buffer_.size()) {
    buffer_.clear();
    taken_ = 0;
  }
  return record;
}

void PartitionFeed::Close() {
  source_.Abandon(read_from_);
  Drop();
}

void PartitionFeed::Drop() {
  filled_.reset();
  buffer_.clear();
  taken_ = 0;
}

}  // namespace millrace
