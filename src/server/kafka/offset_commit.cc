// OffsetCommit: what can be told at once is, and the rest is answered once it is durable.
#include "kafka/messages/offset_commit.h"

#include "server/kafka/group_reply.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::OffsetCommitRequest;
using kafka::OffsetCommitResponse;

constexpr std::size_t kTextBytesMax = 4'096;

std::int16_t Check(const OffsetCommitRequest::Partition& asked, PartitionHandle partition) {
  if (!partition) return reply_code::kUnknownTopic;
  const std::string_view text = *asked.committed_metadata;
  if (text.size() > kTextBytesMax) return reply_code::kOffsetMetadataTooLarge;
  return asked.committed_offset >= 0 ? reply_code::kNone : reply_code::kOffsetOutOfRange;
}

PositionRow ToRow(const std::string& group, PartitionHandle partition, const OffsetCommitRequest::Partition& asked) {
  PositionRow row{.key = {group, GroupAccess::KeyOf(partition)}, .position = Offset(asked.committed_offset)};
  if (asked.committed_leader_epoch >= 0) row.leader_epoch = LeaderEpoch(asked.committed_leader_epoch);
  row.metadata = std::string(*asked.committed_metadata);
  return row;
}

/// `codes`: of each partition, in the order of the request; those without a fault get what the commit ended with.
void Reply(KafkaRequest& request, const OffsetCommitRequest& body, const std::vector<std::int16_t>& codes,
           GroupError error) {
  const auto topics = request.arena.New<OffsetCommitResponse::Topic>(body.topics.size());
  std::size_t next = 0;
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto partitions = request.arena.New<OffsetCommitResponse::Partition>(body.topics[t].partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p, ++next) {
      partitions[p].partition_index = body.topics[t].partitions[p].partition_index;
      partitions[p].error_code = codes[next] != reply_code::kNone ? codes[next] : CodeOf(error);
    }
    topics[t].name = body.topics[t].name;
    topics[t].partitions = partitions;
  }
  OffsetCommitResponse response;
  response.topics = topics;
  ReplyWith(request, response);
}

}  // namespace

void HandleOffsetCommit(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<OffsetCommitRequest>(*request);
  if (!body) return;
  std::string group(body->group_id);
  std::vector<std::int16_t> codes;
  std::vector<PositionRow> rows;
  for (const OffsetCommitRequest::Topic& topic : body->topics) {
    for (const OffsetCommitRequest::Partition& asked : topic.partitions) {
      const PartitionHandle partition = broker.log().Find(topic.name, PartitionId(asked.partition_index));
      codes.push_back(Check(asked, partition));
      if (codes.back() == reply_code::kNone) rows.push_back(ToRow(group, partition, asked));
    }
  }
  if (RefuseMoreThan(kPartitionsOfRequestMax, codes.size(), *request)) return;
  auto reply = ReplyOnLoop<GroupError>(
      request,
      [body = *body, codes = std::move(codes)](KafkaRequest& to, GroupError error) { Reply(to, body, codes, error); });
  broker.AskGroups([group = std::move(group), who = IdentityOf(body->member_id, body->group_instance_id),
                    generation = body->generation_id_or_member_epoch, rows = std::move(rows),
                    reply = std::move(reply)](GroupCoordinator& groups) mutable {
    groups.Commit(group, who, generation, std::move(rows), std::move(reply));
  });
}

}  // namespace millrace
