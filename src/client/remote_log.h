// A log behind a server that speaks Kafka's protocol: `millrace serve`, or another. Nothing is asked of the server that
// is not in the protocol, topic settings named millrace.… apart.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "client/cluster.h"
#include "client/log.h"

namespace millrace {

/// Waits end with kClosed when the stop is asked for that was in force for the thread that opened it. What may succeed
/// a little later is tried again for half a minute; an append is not, once it may be stored.
class RemoteLog : public Log {
 public:
  /// Errors: kUnavailable (cannot connect; says why), kCorruption (what answers is no server of this protocol),
  /// kUnsupported (too old).
  static Result<std::unique_ptr<RemoteLog>> Open(const client::ClusterOptions& options);

  Result<std::vector<LogTopic>> DescribeTopics() override;
  Result<LogTopic> DescribeTopic(std::string_view name) override;
  Result<void> CreateTopic(std::string_view name, const NewTopic& topic) override;
  Result<void> AddPartitions(const LogTopic& topic, std::int32_t more) override;
  Result<void> DeleteTopic(std::string_view name) override;
  Result<std::unique_ptr<LogAppender>> OpenAppender(const LogTopic& topic, const AppendOptions& options) override;
  Result<ReadResult> Read(const TopicPartition& partition, Offset begin, const ReadLimits& limits) override;
  Result<void> AwaitMore(std::span<const ReadRequest> places, std::chrono::milliseconds wait) override;
  Result<OffsetBounds> Bounds(const TopicPartition& partition) override;
  Result<Offset> OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) override;
  Result<std::vector<std::string>> ListGroups() override;
  Result<std::vector<GroupPosition>> DescribeGroup(std::string_view group) override;
  Result<GroupMembership> DescribeGroupMembers(std::string_view group) override;
  Result<void> SeekGroup(std::string_view group, const TopicPartition& partition, Offset position) override;
  Result<void> DeleteGroup(std::string_view group) override;
  Result<std::unique_ptr<LogMember>> OpenMember(std::string_view group,
                                                const std::vector<std::string>& topics) override;
  Result<void> Close(Closing) override { return {}; }

 private:
  explicit RemoteLog(std::unique_ptr<client::Alarm> stop) : stop_(std::move(stop)) {}
  Result<std::vector<LogTopic>> Describe(std::optional<std::span<const std::string>> names);
  void AddBounds(std::vector<LogTopic>& topics);
  Result<void> AddSettings(std::vector<LogTopic>& topics);
  Result<client::ConnectionRef> Coordinator(std::string_view group);
  Result<std::map<TopicPartition, Offset>> PositionsOf(std::string_view group);
  /// By the times of ListOffsets: -2 begin, -1 end, else the first record at or past it; -1: there is none.
  Result<Offset> OffsetAt(const TopicPartition& partition, std::int64_t time);
  Result<ReadResult> ReadOnce(const TopicPartition& partition, Offset begin, const ReadLimits& limits);
  /// kOutOfRange with what the partition has.
  Error OutOfRange(const TopicPartition& partition, Offset begin, std::optional<OffsetBounds> told);

  const std::unique_ptr<client::Alarm> stop_;  // outlives what waits by it
  std::unique_ptr<client::Cluster> cluster_;
};

}  // namespace millrace
