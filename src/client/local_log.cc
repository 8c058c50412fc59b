#include "client/local_log.h"

#include <fmt/format.h>

#include <stop_token>
#include <utility>

#include "base/try.h"
#include "kafka/topic_settings.h"
#include "millrace/consumer.h"
#include "millrace/request_scope.h"

namespace millrace {
namespace {

class LocalAppender : public LogAppender {
 public:
  LocalAppender(Engine& engine, const AppendOptions& options) : engine_(engine), options_(options) {}

  void Append(const TopicPartition& partition, std::span<const Record> records,
              std::move_only_function<void(Result<AppendReceipt>)> done) override {
    engine_.AppendAsync(partition, records, options_, std::move(done));
  }
  Result<void> Abandon() override { return engine_.Close(); }

 private:
  Engine& engine_;
  const AppendOptions options_;
};

LogTopic Described(TopicDescription topic, const AppendBounds& bounds) {
  LogTopic described{std::move(topic)};
  described.settings = TopicSettings(described.options);
  described.durability = described.options.durability;
  described.bounds = bounds;
  return described;
}

}  // namespace

LocalLog::LocalLog(std::unique_ptr<Engine> engine, const AppendBounds& bounds)
    : owned_(std::move(engine)), engine_(*owned_), bounds_(bounds) {}

Result<std::vector<LogTopic>> LocalLog::DescribeTopics() {
  MR_ASSIGN_OR_RETURN(std::vector<TopicDescription> topics, engine_.DescribeTopics());
  std::vector<LogTopic> described;
  for (TopicDescription& topic : topics) described.push_back(Described(std::move(topic), bounds_));
  return described;
}

Result<LogTopic> LocalLog::DescribeTopic(std::string_view name) {
  MR_ASSIGN_OR_RETURN(std::vector<TopicDescription> topics, engine_.DescribeTopics());
  for (TopicDescription& topic : topics)
    if (topic.name == name) return Described(std::move(topic), bounds_);
  return Error(ErrorCode::kNotFound, fmt::format("there is no topic {}", name));
}

Result<void> LocalLog::CreateTopic(std::string_view name, const NewTopic& topic) {
  return engine_.CreateTopic(name, topic.options);
}

Result<void> LocalLog::AddPartitions(const LogTopic& topic, std::int32_t more) {
  TopicOptions options = topic.options;
  options.partitions += more;
  return engine_.AlterTopic(topic.name, options);
}

Result<void> LocalLog::DeleteTopic(std::string_view name) { return engine_.DeleteTopic(name); }

Result<std::unique_ptr<LogAppender>> LocalLog::OpenAppender(const LogTopic&, const AppendOptions& options) {
  return std::unique_ptr<LogAppender>(std::make_unique<LocalAppender>(engine_, options));
}

Result<ReadResult> LocalLog::Read(const TopicPartition& partition, Offset begin, const ReadLimits& limits) {
  return engine_.Read(partition, begin, limits);
}

Result<void> LocalLog::AwaitMore(std::span<const ReadRequest> places, std::chrono::milliseconds wait) {
  ConsumerOptions options;
  for (const ReadRequest& place : places) options.partitions.push_back(place.partition);
  MR_ASSIGN_OR_RETURN(std::unique_ptr<Consumer> consumer, engine_.OpenConsumer(std::move(options)));
  for (const ReadRequest& place : places) MR_TRY(consumer->Seek(place.partition, place.begin));
  const std::stop_callback wake(RequestScope::Current().stop, [&consumer] { consumer->Wakeup(); });
  // The record it brings is read again by the caller, in the order of its turns.
  MR_TRY(consumer->Poll(1, wait));
  return {};
}

Result<OffsetBounds> LocalLog::Bounds(const TopicPartition& partition) {
  MR_ASSIGN_OR_RETURN(const PartitionOffsets offsets, engine_.Offsets(partition));
  return OffsetBounds{offsets.log_start, offsets.log_end};
}

Result<Offset> LocalLog::OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) {
  return engine_.OffsetForTime(partition, timestamp_ms);
}

Result<std::vector<std::string>> LocalLog::ListGroups() { return engine_.ListGroups(); }

Result<std::vector<GroupPosition>> LocalLog::DescribeGroup(std::string_view group) {
  return engine_.DescribeGroup(group);
}

Result<void> LocalLog::SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) {
  return engine_.SeekGroup(group, partition, position);
}

Result<void> LocalLog::DeleteGroup(std::string_view group) { return engine_.DeleteGroup(group); }

Result<void> LocalLog::Close(Closing how) {
  constexpr std::chrono::milliseconds kUpkeep{100};
  // A user who interrupts waits for nothing more.
  if (how == Closing::kAfterUpkeep && !RequestScope::Current().stop.stop_requested()) {
    [[maybe_unused]] const auto told_by_status = engine_.Maintain(kUpkeep);
  }
  return engine_.Close();
}

}  // namespace millrace
