#include "client/fetch_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "client/partition_name.h"
#include "client/refusal.h"
#include "kafka/messages/fetch.h"

namespace millrace::client {
namespace {

using kafka::FetchRequest;
using kafka::FetchResponse;

constexpr kafka::VersionRange kVersions{4, 12};  // topics go by name up to here

/// The bytes as a slice of the frame that they lie in.
SharedBytes SliceOf(const SharedBytes& frame, kafka::Bytes bytes) {
  if (bytes.empty()) return {};
  const auto at = static_cast<std::size_t>(bytes.data() - frame.data());
  MR_CHECK(at <= frame.size() && bytes.size() <= frame.size() - at, at, bytes.size(), frame.size());
  return frame.Slice(at, bytes.size());
}

FetchedPart PartOf(const SharedBytes& frame, const FetchResponse::Partition& told) {
  FetchedPart part;
  part.code = told.error_code;
  part.fetched.high_watermark = Offset(told.high_watermark);
  part.fetched.log_start = Offset(told.log_start_offset);
  if (told.records) part.fetched.batches = SliceOf(frame, told.records->view);
  return part;
}

}  // namespace

Result<std::vector<FetchedPart>> Fetch(Cluster& cluster, Connection& node, std::span<const ReadRequest> places,
                                       const FetchLimits& limits) {
  const auto bytes_max = static_cast<std::int32_t>(std::min<std::uint64_t>(limits.bytes_max, INT32_MAX));
  std::map<std::string_view, std::vector<FetchRequest::Partition>> by_topic;
  for (const ReadRequest& place : places) {
    FetchRequest::Partition asked{.partition = place.partition.partition.value(), .fetch_offset = place.begin.value()};
    asked.partition_max_bytes = bytes_max;
    by_topic[place.partition.topic].push_back(asked);
  }
  std::vector<FetchRequest::Topic> topics;
  for (const auto& [name, partitions] : by_topic) topics.push_back({.topic = name, .partitions = partitions});
  FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(limits.wait.count());
  request.min_bytes = limits.wait.count() > 0 ? 1 : 0;
  request.max_bytes = bytes_max;
  request.topics = topics;
  const Until until = cluster.Within(limits.wait + cluster.options().answer_timeout);
  MR_ASSIGN_OR_RETURN(const auto answer, node.Call<FetchResponse>(request, kVersions, until));
  if (answer->error_code != 0) return Refusal(answer->error_code, "cannot fetch");

  std::map<std::pair<std::string_view, std::int32_t>, const FetchResponse::Partition*> found;
  for (const FetchResponse::Topic& topic : answer->responses)
    for (const FetchResponse::Partition& one : topic.partitions) found[{topic.topic, one.partition_index}] = &one;
  std::vector<FetchedPart> parts;
  for (const ReadRequest& place : places) {
    const auto one = found.find({place.partition.topic, place.partition.partition.value()});
    if (one == found.end())
      return Error(ErrorCode::kCorruption,
                   fmt::format("the server's answer says nothing of {}", PartitionName(place.partition)));
    parts.push_back(PartOf(answer.frame, *one->second));
  }
  return parts;
}

}  // namespace millrace::client
