// DeleteGroups and OffsetDelete.
#include "kafka/messages/delete_groups.h"

#include "kafka/messages/offset_delete.h"
#include "server/kafka/group_reply.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::DeleteGroupsRequest;
using kafka::DeleteGroupsResponse;
using kafka::OffsetDeleteRequest;
using kafka::OffsetDeleteResponse;

void ReplyToDelete(KafkaRequest& request, const DeleteGroupsRequest& body, const std::vector<GroupError>& errors) {
  const auto results = request.arena.New<DeleteGroupsResponse::Result>(body.groups_names.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].group_id = body.groups_names[i];
    results[i].error_code = CodeOf(errors[i]);
  }
  DeleteGroupsResponse response;
  response.results = results;
  ReplyWith(request, response);
}

std::int16_t CodeOfTopic(GroupCoordinator::Forgotten forgotten) {
  return forgotten == GroupCoordinator::Forgotten::kYes ? reply_code::kNone : reply_code::kGroupSubscribedToTopic;
}

/// `unknown`: per partition, in the order of the request, whether there is no such partition.
void ReplyToForget(KafkaRequest& request, const OffsetDeleteRequest& body, const std::vector<bool>& unknown,
                   const GroupCoordinator::ForgetAnswer& answer) {
  OffsetDeleteResponse response;
  response.error_code = CodeOf(answer.error);
  if (answer.error != GroupError::kNone) return ReplyWith(request, response);
  const auto topics = request.arena.New<OffsetDeleteResponse::Topic>(body.topics.size());
  std::size_t next = 0;
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const auto partitions = request.arena.New<OffsetDeleteResponse::Partition>(body.topics[t].partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p, ++next) {
      partitions[p].partition_index = body.topics[t].partitions[p].partition_index;
      partitions[p].error_code = unknown[next] ? reply_code::kUnknownTopic : CodeOfTopic(answer.topics[t]);
    }
    topics[t].name = body.topics[t].name;
    topics[t].partitions = partitions;
  }
  response.topics = topics;
  ReplyWith(request, response);
}

}  // namespace

void HandleDeleteGroups(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<DeleteGroupsRequest>(*request);
  if (!body) return;
  if (RefuseMoreThan(kGroupsOfRequestMax, body->groups_names.size(), *request)) return;
  std::vector<std::string> names(body->groups_names.begin(), body->groups_names.end());
  if (names.empty()) return ReplyToDelete(*request, *body, {});
  auto reply = ReplyOnLoop<std::vector<GroupError>>(
      request,
      [body = *body](KafkaRequest& to, const std::vector<GroupError>& errors) { ReplyToDelete(to, body, errors); });
  broker.AskGroups([names = std::move(names), reply = std::move(reply)](GroupCoordinator& groups) mutable {
    const auto all = std::make_shared<Gathered<GroupError>>(names.size(), std::move(reply));
    for (std::size_t i = 0; i < names.size(); ++i)
      groups.Delete(names[i], [all, i](GroupError error) { all->Set(i, error); });
  });
}

void HandleOffsetDelete(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<OffsetDeleteRequest>(*request);
  if (!body) return;
  std::vector<GroupCoordinator::ForgetTopic> topics;
  std::vector<bool> unknown;
  for (const OffsetDeleteRequest::Topic& asked : body->topics) {
    GroupCoordinator::ForgetTopic& topic = topics.emplace_back(std::string(asked.name));
    for (const OffsetDeleteRequest::Partition& each : asked.partitions) {
      const PartitionHandle partition = broker.log().Find(asked.name, PartitionId(each.partition_index));
      unknown.push_back(!partition);
      if (partition) topic.partitions.push_back(GroupAccess::KeyOf(partition));
    }
  }
  if (RefuseMoreThan(kPartitionsOfRequestMax, unknown.size(), *request)) return;
  auto reply = ReplyOnLoop<GroupCoordinator::ForgetAnswer>(
      request,
      [body = *body, unknown = std::move(unknown)](KafkaRequest& to, const GroupCoordinator::ForgetAnswer& answer) {
        ReplyToForget(to, body, unknown, answer);
      });
  broker.AskGroups([group = std::string(body->group_id), topics = std::move(topics),
                    reply = std::move(reply)](GroupCoordinator& groups) mutable {
    groups.Forget(group, std::move(topics), std::move(reply));
  });
}

}  // namespace millrace
