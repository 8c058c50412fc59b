#include "millrace/consumer.h"

#include "base/call_gate.h"
#include "base/try.h"
#include "consumer/consumer_implementation.h"

namespace millrace {
namespace {

Error ClosedError() { return {ErrorCode::kClosed, "the engine is closed"}; }

template <class Call>
auto Inside(CallGate* calls, const Call& call) -> decltype(call()) {
  const CallGate::Pass pass(calls);
  if (!pass) return ClosedError();
  return call();
}

}  // namespace

Consumer::Consumer(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}

Consumer::~Consumer() { (void)Close(); }

Result<std::vector<ConsumedRecord>> Consumer::Poll(std::size_t max_records, std::chrono::milliseconds wait) noexcept {
  const CallGate::Pass pass(implementation_->calls());
  if (!pass) return ClosedError();
  MR_ASSIGN_OR_RETURN(const auto views, implementation_->PollViews(max_records, wait));
  std::vector<ConsumedRecord> records;
  records.reserve(views.size());
  for (const ConsumedView& view : views) records.push_back({view.ToRecord(), std::string(view.topic), view.partition});
  return records;
}

Result<std::vector<ConsumedView>> Consumer::PollViews(std::size_t max_records,
                                                      std::chrono::milliseconds wait) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->PollViews(max_records, wait); });
}

Result<void> Consumer::Commit() noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->Commit(); });
}

Result<void> Consumer::Seek(const TopicPartition& partition, Offset position) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->Seek(partition, position); });
}

Result<void> Consumer::SeekToTime(std::int64_t timestamp_ms) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->SeekToTime(timestamp_ms); });
}

Result<Offset> Consumer::Position(const TopicPartition& partition) const noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->Position(partition); });
}

// These are of what was read, and need no engine.
std::vector<TopicPartition> Consumer::Assignment() const noexcept { return implementation_->Assignment(); }
std::optional<Offset> Consumer::CorrectedFrom(const TopicPartition& partition) const noexcept {
  return implementation_->CorrectedFrom(partition);
}
ReadExplanation Consumer::Explanation() const noexcept { return implementation_->Explanation(); }
std::vector<DamagedRange> Consumer::TakeSkipped() noexcept { return implementation_->TakeSkipped(); }
void Consumer::Wakeup() noexcept { implementation_->Wakeup(); }

Result<void> Consumer::Close() noexcept { return implementation_->Close(); }

}  // namespace millrace
