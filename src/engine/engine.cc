#include "millrace/engine.h"

#include <utility>

#include "base/try.h"
#include "engine/engine_implementation.h"
#include "millrace/consumer.h"
#include "millrace/cursor.h"

namespace millrace {

Engine::Engine(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::Open(EngineOptions options) {
  MR_ASSIGN_OR_RETURN(auto implementation, Implementation::Open(std::move(options), Background::kThreads));
  return Implementation::Wrap(std::move(implementation));
}

Result<void> Engine::CreateTopic(std::string_view name, TopicOptions options) {
  return implementation_->CreateTopic(name, options);
}
Result<void> Engine::AlterTopic(std::string_view name, TopicOptions options) {
  return implementation_->AlterTopic(name, options);
}
Result<void> Engine::DeleteTopic(std::string_view name) { return implementation_->DeleteTopic(name); }
Result<std::vector<TopicDescription>> Engine::DescribeTopics() { return implementation_->DescribeTopics(); }

Result<AppendReceipt> Engine::Append(const TopicPartition& partition, std::span<const Record> records,
                                     AppendOptions options) {
  return implementation_->Append(partition, records, options);
}
Result<AppendReceipt> Engine::Append(std::string_view topic, const Record& record, AppendOptions options) {
  return implementation_->Append(topic, record, options);
}
Result<AppendReceipt> Engine::Append(std::string_view topic, std::string_view value, AppendOptions options) {
  Record record;
  record.value.emplace(value);
  return implementation_->Append(topic, record, options);
}
void Engine::AppendAsync(const TopicPartition& partition, std::span<const Record> records, AppendOptions options,
                         std::move_only_function<void(Result<AppendReceipt>)> done) {
  implementation_->AppendAsync(partition, records, options, std::move(done));
}
Result<PartitionId> Engine::PartitionFor(std::string_view topic, std::optional<std::string_view> key) {
  return implementation_->PartitionFor(topic, key);
}
Result<AppendReceipt> Engine::AppendBatch(const TopicPartition& partition, std::span<const std::byte> batch,
                                          AppendOptions options) {
  return implementation_->AppendBatch(partition, batch, options);
}

Result<ReadResult> Engine::Read(const TopicPartition& partition, Offset begin, ReadLimits limits) {
  return implementation_->Read(partition, begin, limits);
}
Result<BatchReadResult> Engine::ReadBatches(const TopicPartition& partition, Offset begin, ReadLimits limits) {
  return implementation_->ReadBatches(partition, begin, limits);
}
std::vector<Result<ReadResult>> Engine::ReadMany(std::span<const ReadRequest> requests, ReadLimits limits) {
  return implementation_->ReadMany(requests, limits);
}
Result<Offset> Engine::OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) {
  return implementation_->OffsetForTime(partition, timestamp_ms);
}

Result<std::unique_ptr<Consumer>> Engine::OpenConsumer(ConsumerOptions options) {
  return implementation_->OpenConsumer(options);
}
Result<std::vector<std::string>> Engine::ListGroups() { return implementation_->ListGroups(); }
Result<std::vector<GroupPosition>> Engine::DescribeGroup(std::string_view group) {
  return implementation_->DescribeGroup(group);
}
Result<void> Engine::SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) {
  return implementation_->SeekGroup(group, partition, position);
}
Result<void> Engine::DeleteGroup(std::string_view group) { return implementation_->DeleteGroup(group); }

Result<std::unique_ptr<Cursor>> Engine::OpenCursor(const TopicPartition& partition, std::string_view name,
                                                   ReadConsistency consistency) {
  return implementation_->OpenCursor(partition, name, consistency);
}
Result<std::vector<CursorDescription>> Engine::ListCursors(std::string_view topic) {
  return implementation_->ListCursors(topic);
}
Result<void> Engine::DeleteCursor(const TopicPartition& partition, std::string_view name) {
  return implementation_->DeleteCursor(partition, name);
}

Result<void> Engine::Upload() { return implementation_->Upload(); }
Result<void> Engine::Recycle() { return implementation_->Recycle(); }
Result<std::vector<SegmentDescription>> Engine::DescribeSegments(const TopicPartition& partition) {
  return implementation_->DescribeSegments(partition);
}
Result<SharedBytes> Engine::ReadSegment(const SegmentDescription& segment, ByteRange range) {
  return implementation_->ReadSegment(segment, range);
}
Result<Offset> Engine::DeleteRecords(const TopicPartition& partition, Offset before) {
  return implementation_->DeleteRecords(partition, before);
}
Result<PartitionOffsets> Engine::Offsets(const TopicPartition& partition) {
  return implementation_->Offsets(partition);
}
EngineStats Engine::Stats() const { return implementation_->Stats(); }
Result<void> Engine::Close() { return implementation_->Close(); }

}  // namespace millrace
