#include "kafka/messages/offset_for_leader_epoch.h"

#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::OffsetForLeaderEpochRequest;
using kafka::OffsetForLeaderEpochResponse;

OffsetForLeaderEpochResponse::Partition Answer(PartitionAccess& log, std::string_view topic,
                                               const OffsetForLeaderEpochRequest::Partition& asked) {
  OffsetForLeaderEpochResponse::Partition answer;
  answer.partition = asked.partition;
  const PartitionHandle partition = log.Find(topic, PartitionId(asked.partition));
  if (!partition) {
    answer.error_code = reply_code::kUnknownTopic;
    return answer;
  }
  const auto epoch = log.Epoch(partition);
  if (!epoch) {
    answer.error_code = reply_code::OfPartitionError(epoch.error());
    return answer;
  }
  if (asked.current_leader_epoch >= 0 && asked.current_leader_epoch != epoch->value()) {
    answer.error_code =
        asked.current_leader_epoch < epoch->value() ? reply_code::kFencedLeaderEpoch : reply_code::kUnknownLeaderEpoch;
    return answer;
  }
  const auto end = log.EndOfEpoch(partition, LeaderEpoch(asked.leader_epoch));
  if (!end) {
    answer.error_code = reply_code::OfPartitionError(end.error());
  } else if (*end) {
    answer.leader_epoch = (*end)->epoch.value();
    answer.end_offset = (*end)->end.value();
  }
  return answer;
}

}  // namespace

void HandleOffsetForLeaderEpoch(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<OffsetForLeaderEpochRequest>(*request);
  if (!body) return;
  const auto topics = request->arena.New<OffsetForLeaderEpochResponse::Topic>(body->topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const OffsetForLeaderEpochRequest::Topic& asked = body->topics[t];
    const auto partitions = request->arena.New<OffsetForLeaderEpochResponse::Partition>(asked.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p)
      partitions[p] = Answer(broker.log(), asked.topic, asked.partitions[p]);
    topics[t].topic = asked.topic;
    topics[t].partitions = partitions;
  }
  OffsetForLeaderEpochResponse response;
  response.topics = topics;
  ReplyWith(*request, response);
}

}  // namespace millrace
