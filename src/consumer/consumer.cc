#include "millrace/consumer.h"

#include "base/try.h"
#include "consumer/consumer_implementation.h"

namespace millrace {

Consumer::Consumer(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}

Consumer::~Consumer() { (void)implementation_->Close(); }

Result<std::vector<ConsumedRecord>> Consumer::Poll(std::size_t max_records, std::chrono::milliseconds wait) {
  MR_ASSIGN_OR_RETURN(const auto views, implementation_->PollViews(max_records, wait));
  std::vector<ConsumedRecord> records;
  records.reserve(views.size());
  for (const ConsumedView& view : views) records.push_back({view.ToRecord(), std::string(view.topic), view.partition});
  return records;
}

Result<std::vector<ConsumedView>> Consumer::PollViews(std::size_t max_records, std::chrono::milliseconds wait) {
  return implementation_->PollViews(max_records, wait);
}

Result<void> Consumer::Commit() { return implementation_->Commit(); }

Result<void> Consumer::Seek(const TopicPartition& partition, Offset position) {
  return implementation_->Seek(partition, position);
}

Result<void> Consumer::SeekToTime(std::int64_t timestamp_ms) { return implementation_->SeekToTime(timestamp_ms); }

Result<Offset> Consumer::Position(const TopicPartition& partition) const {
  return implementation_->Position(partition);
}

std::vector<TopicPartition> Consumer::Assignment() const { return implementation_->Assignment(); }

ReadExplanation Consumer::Explanation() const { return implementation_->Explanation(); }

std::vector<DamagedRange> Consumer::TakeSkipped() { return implementation_->TakeSkipped(); }

void Consumer::Wakeup() { implementation_->Wakeup(); }

Result<void> Consumer::Close() { return implementation_->Close(); }

}  // namespace millrace
