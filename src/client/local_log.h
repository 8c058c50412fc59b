// A log in a directory, opened by this process.
#pragma once

#include <memory>

#include "client/log.h"
#include "millrace/engine.h"

namespace millrace {

class LocalLog : public Log {
 public:
  LocalLog(std::unique_ptr<Engine> engine, const AppendBounds& bounds);
  /// Over an engine that outlives it.
  explicit LocalLog(Engine& engine) : engine_(engine) {}

  Result<std::vector<LogTopic>> DescribeTopics() override;
  Result<LogTopic> DescribeTopic(std::string_view name) override;
  Result<void> CreateTopic(std::string_view name, const NewTopic& topic) override;
  Result<void> AddPartitions(const LogTopic& topic, std::int32_t more) override;
  Result<void> DeleteTopic(std::string_view name) override;
  Result<std::unique_ptr<LogAppender>> OpenAppender(const LogTopic& topic, const AppendOptions& options) override;
  Result<ReadResult> Read(const TopicPartition& partition, Offset begin, const ReadLimits& limits) override;
  Result<void> AwaitMore(std::span<const ReadRequest> places, std::chrono::milliseconds wait) override;
  /// Up to the end of the log: everything in it was acknowledged before this process opened it, or was appended by it,
  /// and a read waits for the sync.
  Result<OffsetBounds> Bounds(const TopicPartition& partition) override;
  Result<Offset> OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) override;
  Result<std::vector<std::string>> ListGroups() override;
  Result<std::vector<GroupPosition>> DescribeGroup(std::string_view group) override;
  Result<GroupMembership> DescribeGroupMembers(std::string_view group) override {
    return engine_.DescribeGroupMembers(group);
  }
  Result<void> SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) override;
  Result<void> DeleteGroup(std::string_view group) override;
  Result<std::unique_ptr<LogMember>> OpenMember(std::string_view, const std::vector<std::string>&) override {
    return std::unique_ptr<LogMember>();
  }
  /// After upkeep: a tenth of a second of what is due (Engine::Maintain), since a log that only short commands use gets
  /// no other. What it fails at is in status.
  Result<void> Close(Closing how) override;
  [[nodiscard]] Engine* engine() override { return &engine_; }

 private:
  const std::unique_ptr<Engine> owned_;
  Engine& engine_;
  const AppendBounds bounds_;
};

}  // namespace millrace
