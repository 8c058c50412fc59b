#include "client/remote_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/try.h"
#include "client/fetch_call.h"
#include "client/offset_lookup.h"
#include "client/partition_name.h"
#include "client/refusal.h"
#include "client/remote_appender.h"
#include "millrace/request_scope.h"

namespace millrace {

using client::ConnectionRef;

namespace {

/// A code that says that another node has the partition, or that this one does not know it.
bool IsOfPlace(const Error& error) { return error.code() == ErrorCode::kNotFound || error.retryable(); }

}  // namespace

Result<std::unique_ptr<RemoteLog>> RemoteLog::Open(const client::ClusterOptions& options) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<client::Alarm> stop, client::Alarm::Make());
  stop->RingAt(RequestScope::Current().stop);
  std::unique_ptr<RemoteLog> log(new RemoteLog(std::move(stop)));
  MR_ASSIGN_OR_RETURN(log->cluster_, client::Cluster::Open(options, *log->stop_));
  return log;
}

Result<std::unique_ptr<LogAppender>> RemoteLog::OpenAppender(const LogTopic& topic, const AppendOptions& options) {
  return client::RemoteAppender::Start(cluster_->options(), topic, options);
}

Result<Offset> RemoteLog::OffsetAt(const TopicPartition& partition, std::int64_t time) {
  return cluster_->Retrying([&]() -> Result<Offset> {
    MR_ASSIGN_OR_RETURN(const ConnectionRef leader, cluster_->LeaderConnection(partition));
    MR_ASSIGN_OR_RETURN(auto offsets, client::LookUpOffsets(*cluster_, *leader, std::span(&partition, 1), time));
    MR_DCHECK(offsets.size() == 1);
    if (!offsets.front() && IsOfPlace(offsets.front().error())) cluster_->Forget(partition);
    return std::move(offsets.front());
  });
}

Result<OffsetBounds> RemoteLog::Bounds(const TopicPartition& partition) {
  MR_ASSIGN_OR_RETURN(const Offset begin, OffsetAt(partition, client::kBeginTime));
  MR_ASSIGN_OR_RETURN(const Offset end, OffsetAt(partition, client::kEndTime));
  if (begin >= Offset(0) && end >= Offset(0)) return OffsetBounds{begin, std::max(begin, end)};
  return Error(ErrorCode::kCorruption, fmt::format("{}: the server gives it the offsets [{}, {})",
                                                   PartitionName(partition), begin.value(), end.value()));
}

Result<Offset> RemoteLog::OffsetForTime(const TopicPartition& partition, std::int64_t timestamp_ms) {
  // Times below zero are names of places in the protocol; no record of a log is older than 1970.
  MR_ASSIGN_OR_RETURN(const Offset found, OffsetAt(partition, std::max<std::int64_t>(timestamp_ms, 0)));
  if (found >= Offset(0)) return found;
  return OffsetAt(partition, client::kEndTime);
}

Error RemoteLog::OutOfRange(const TopicPartition& partition, Offset begin, std::optional<OffsetBounds> told) {
  if (!told) {  // Apache Kafka does not say
    auto bounds = Bounds(partition);
    if (!bounds) return bounds.error();
    told = *bounds;
  }
  return Error(ErrorCode::kOutOfRange, fmt::format("{} has offsets [{}, {}), not {}", PartitionName(partition),
                                                   told->log_start.value(), told->end.value(), begin.value()))
      .WithBounds(*told);
}

Result<ReadResult> RemoteLog::ReadOnce(const TopicPartition& partition, Offset begin, const ReadLimits& limits) {
  MR_ASSIGN_OR_RETURN(const ConnectionRef leader, cluster_->LeaderConnection(partition));
  const ReadRequest place{partition, begin};
  const client::FetchLimits asked{.bytes_max = limits.bytes_max, .wait = std::chrono::milliseconds(0)};
  MR_ASSIGN_OR_RETURN(auto fetched, client::Fetch(*cluster_, *leader, std::span(&place, 1), asked));
  MR_DCHECK(fetched.size() == 1);
  client::FetchedPart& part = fetched.front();
  if (part.code == kafka::code::kOffsetOutOfRange) return OutOfRange(partition, begin, part.Bounds());
  if (part.code != 0) {
    const Error refused = client::Refusal(part.code, fmt::format("cannot read {}", PartitionName(partition)));
    if (IsOfPlace(refused)) cluster_->Forget(partition);
    // What the server found damaged is so at the next attempt as well.
    return part.code == kafka::code::kCorruptMessage ? refused.WithRetryable(false) : refused;
  }
  MR_ASSIGN_OR_RETURN(ReadResult read, client::DecodeFetched(part.fetched, partition, begin, limits));
  // A server may answer with nothing although there is something: that is no end of the log.
  if (read.next == begin && begin < read.high_watermark && limits.records_max > 0)
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the server gives nothing of {} from offset {} on, and its end is {}",
                             PartitionName(partition), begin.value(), read.high_watermark.value()));
  return read;
}

Result<ReadResult> RemoteLog::Read(const TopicPartition& partition, Offset begin, const ReadLimits& limits) {
  return cluster_->Retrying([&] { return ReadOnce(partition, begin, limits); });
}

Result<void> RemoteLog::AwaitMore(std::span<const ReadRequest> places, std::chrono::milliseconds wait) {
  if (places.empty()) return {};
  std::map<std::int32_t, std::vector<ReadRequest>> by_node;
  for (const ReadRequest& place : places) {
    MR_ASSIGN_OR_RETURN(const std::int32_t leader,
                        cluster_->Retrying([&] { return cluster_->LeaderOf(place.partition); }));
    by_node[leader].push_back(place);
  }
  // One node holds the request until there is something; several are asked in turn, each for a moment.
  constexpr std::chrono::milliseconds kLong{5'000}, kShort{250};
  const client::SteadyTime end =
      std::chrono::steady_clock::now() + std::min<std::chrono::milliseconds>(wait, std::chrono::hours(24));
  while (true) {
    for (const auto& [id, asked] : by_node) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      if (left.count() <= 0) return {};
      const client::FetchLimits limits{.bytes_max = 1, .wait = std::min(left, by_node.size() == 1 ? kLong : kShort)};
      auto node = cluster_->Node(id);
      if (!node) {
        for (const ReadRequest& place : asked) cluster_->Forget(place.partition);
        return node.error().retryable() ? Result<void>() : node.error();
      }
      auto parts = client::Fetch(*cluster_, **node, asked, limits);
      if (!parts && parts.error().code() == ErrorCode::kClosed) return {};  // the stop: the caller looks at it
      if (!parts && parts.error().retryable()) return {};                   // the next read has it
      if (!parts) return parts.error();
      if (std::ranges::any_of(*parts, [](const auto& part) { return part.code != 0 || !part.fetched.batches.empty(); }))
        return {};
    }
  }
}

}  // namespace millrace
