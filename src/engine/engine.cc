// The doors: each call counts as in flight while it is inside, and no exception leaves it.
#include "millrace/engine.h"

#include <utility>

#include "base/call_gate.h"
#include "base/try.h"
#include "engine/engine_implementation.h"
#include "millrace/consumer.h"
#include "millrace/cursor.h"

namespace millrace {
namespace {

Error ClosedError() { return {ErrorCode::kClosed, "the engine is closed"}; }

template <class Call>
auto Inside(CallGate& calls, const Call& call) -> decltype(call()) {
  const CallGate::Pass pass(&calls);
  if (!pass) return ClosedError();
  return call();
}

/// The same for a call that changes the log.
template <class Call>
auto Changing(Engine::Implementation& engine, const Call& call) -> decltype(call()) {
  return Inside(engine.calls(), [&]() -> decltype(call()) {
    MR_TRY(engine.CheckWritable());
    return call();
  });
}

}  // namespace

Engine::Engine(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::Open(EngineOptions options) noexcept {
  MR_ASSIGN_OR_RETURN(auto implementation, Implementation::Open(std::move(options), Background::kThreads));
  return Implementation::Wrap(std::move(implementation));
}

Result<void> Engine::CreateTopic(std::string_view name, TopicOptions options) noexcept {
  return Changing(*implementation_, [&] { return implementation_->CreateTopic(name, options); });
}
Result<void> Engine::AlterTopic(std::string_view name, TopicOptions options) noexcept {
  return Changing(*implementation_, [&] { return implementation_->AlterTopic(name, options); });
}
Result<void> Engine::DeleteTopic(std::string_view name) noexcept {
  return Changing(*implementation_, [&] { return implementation_->DeleteTopic(name); });
}
Result<std::vector<TopicDescription>> Engine::DescribeTopics() noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->DescribeTopics(); });
}

Result<AppendReceipt> Engine::Append(const TopicPartition& partition, std::span<const Record> records,
                                     AppendOptions options) noexcept {
  return Changing(*implementation_, [&] { return implementation_->Append(partition, records, options); });
}
Result<AppendReceipt> Engine::Append(std::string_view topic, const Record& record, AppendOptions options) noexcept {
  return Changing(*implementation_, [&] { return implementation_->Append(topic, record, options); });
}
Result<AppendReceipt> Engine::Append(std::string_view topic, std::string_view value, AppendOptions options) noexcept {
  Record record;
  record.value.emplace(value);
  return Append(topic, record, options);
}
void Engine::AppendAsync(const TopicPartition& partition, std::span<const Record> records, AppendOptions options,
                         std::move_only_function<void(Result<AppendReceipt>)> done) noexcept {
  const CallGate::Pass pass(&implementation_->calls());
  if (!pass) return AsyncAppends::Refuse(std::move(done), ClosedError());
  if (const auto writable = implementation_->CheckWritable(); !writable)
    return AsyncAppends::Refuse(std::move(done), writable.error());
  implementation_->AppendAsync(partition, records, options, std::move(done));
}
Result<PartitionId> Engine::PartitionFor(std::string_view topic, std::optional<std::string_view> key) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->PartitionFor(topic, key); });
}
Result<AppendReceipt> Engine::AppendBatch(const TopicPartition& partition, std::span<const std::byte> batch,
                                          AppendOptions options) noexcept {
  return Changing(*implementation_, [&] { return implementation_->AppendBatch(partition, batch, options); });
}

Result<ReadResult> Engine::Read(const TopicPartition& partition, Offset begin, ReadLimits limits) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->Read(partition, begin, limits); });
}
Result<BatchReadResult> Engine::ReadBatches(const TopicPartition& partition, Offset begin, ReadLimits limits) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->ReadBatches(partition, begin, limits); });
}
std::vector<Result<ReadResult>> Engine::ReadMany(std::span<const ReadRequest> requests, ReadLimits limits) noexcept {
  const CallGate::Pass pass(&implementation_->calls());
  if (!pass) return std::vector<Result<ReadResult>>(requests.size(), ClosedError());
  return implementation_->ReadMany(requests, limits);
}
Result<Offset> Engine::OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->OffsetForTime(partition, timestamp_ms); });
}

Result<std::unique_ptr<Consumer>> Engine::OpenConsumer(ConsumerOptions options) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->OpenConsumer(options); });
}
Result<std::vector<std::string>> Engine::ListGroups() noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->ListGroups(); });
}
Result<std::vector<GroupPosition>> Engine::DescribeGroup(std::string_view group) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->DescribeGroup(group); });
}
Result<void> Engine::SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) noexcept {
  return Changing(*implementation_, [&] { return implementation_->SeekGroup(group, partition, position); });
}
Result<void> Engine::DeleteGroup(std::string_view group) noexcept {
  return Changing(*implementation_, [&] { return implementation_->DeleteGroup(group); });
}

Result<std::unique_ptr<Cursor>> Engine::OpenCursor(const TopicPartition& partition, std::string_view name,
                                                   ReadConsistency consistency) noexcept {
  return Changing(*implementation_, [&] { return implementation_->OpenCursor(partition, name, consistency); });
}
Result<std::vector<CursorDescription>> Engine::ListCursors(std::string_view topic) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->ListCursors(topic); });
}
Result<void> Engine::DeleteCursor(const TopicPartition& partition, std::string_view name) noexcept {
  return Changing(*implementation_, [&] { return implementation_->DeleteCursor(partition, name); });
}

Result<void> Engine::Upload() noexcept {
  return Changing(*implementation_, [&] { return implementation_->Upload(); });
}
Result<void> Engine::Recycle() noexcept {
  return Changing(*implementation_, [&] { return implementation_->Recycle(); });
}
Result<std::vector<SegmentDescription>> Engine::DescribeSegments(const TopicPartition& partition) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->DescribeSegments(partition); });
}
Result<SharedBytes> Engine::ReadSegment(const SegmentDescription& segment, ByteRange range) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->ReadSegment(segment, range); });
}
Result<Offset> Engine::DeleteRecords(const TopicPartition& partition, Offset before) noexcept {
  return Changing(*implementation_, [&] { return implementation_->DeleteRecords(partition, before); });
}
Result<PartitionOffsets> Engine::Offsets(const TopicPartition& partition) noexcept {
  return Inside(implementation_->calls(), [&] { return implementation_->Offsets(partition); });
}
Result<MaintenanceReport> Engine::Maintain(std::optional<std::chrono::milliseconds> time_max) noexcept {
  return Changing(*implementation_, [&] { return implementation_->Maintain(time_max); });
}
Result<void> Engine::TrustClock() noexcept {
  return Changing(*implementation_, [&] { return implementation_->TrustClock(); });
}
EngineStats Engine::Stats() const noexcept {
  const CallGate::Pass pass(&implementation_->calls());  // counted, and told of a closed engine too
  return implementation_->Stats();
}
Result<void> Engine::Close() noexcept { return implementation_->Close(); }

}  // namespace millrace
