#include "client/group_positions.h"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>

#include "base/try.h"
#include "client/refusal.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/offset_fetch.h"

namespace millrace::client {

Result<ConnectionRef> FindCoordinator(Cluster& cluster, std::string_view group) {
  using kafka::FindCoordinatorRequest;
  using kafka::FindCoordinatorResponse;
  constexpr kafka::VersionRange kForOne{0, 3};
  // The nodes and their addresses, as of now.
  MR_TRY(cluster.AskMetadata(std::span<const std::string>()));
  MR_ASSIGN_OR_RETURN(const ConnectionRef node, cluster.AnyNode());
  FindCoordinatorRequest request;
  request.key = group;
  MR_ASSIGN_OR_RETURN(const auto answer, node->Call<FindCoordinatorResponse>(request, kForOne, cluster.AnswerTime()));
  if (answer->error_code != 0)
    return Refusal(answer->error_code, fmt::format("cannot find who looks after group {}", group),
                   answer->error_message);
  return cluster.Node(answer->node_id);
}

Result<std::map<TopicPartition, Offset>> FetchPositions(const Cluster& cluster, Connection& coordinator,
                                                        std::string_view group) {
  using kafka::OffsetFetchRequest;
  using kafka::OffsetFetchResponse;
  constexpr kafka::VersionRange kAllOfOne{2, 7};
  OffsetFetchRequest request;
  request.group_id = group;
  request.topics = std::nullopt;
  MR_ASSIGN_OR_RETURN(const auto answer,
                      coordinator.Call<OffsetFetchResponse>(request, kAllOfOne, cluster.AnswerTime()));
  const std::string what = fmt::format("cannot read the positions of group {}", group);
  if (answer->error_code != 0) return Refusal(answer->error_code, what);
  std::map<TopicPartition, Offset> positions;
  for (const OffsetFetchResponse::Topic& topic : answer->topics) {
    for (const OffsetFetchResponse::Partition& one : topic.partitions) {
      if (one.error_code != 0) return Refusal(one.error_code, what);
      if (one.committed_offset < 0) continue;
      positions[{std::string(topic.name), PartitionId(one.partition_index)}] = Offset(one.committed_offset);
    }
  }
  return positions;
}

}  // namespace millrace::client
