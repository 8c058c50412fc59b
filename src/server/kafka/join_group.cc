// JoinGroup and SyncGroup: the two that wait for others.
#include "kafka/messages/join_group.h"

#include <algorithm>

#include "kafka/messages/sync_group.h"
#include "server/kafka/group_reply.h"

namespace millrace {
namespace {

using kafka::JoinGroupRequest;
using kafka::JoinGroupResponse;
using kafka::SyncGroupRequest;
using kafka::SyncGroupResponse;

JoinCall ToCall(KafkaRequest& request, const JoinGroupRequest& body) {
  constexpr std::int16_t kFirstThatTakesIds = 4, kFirstThatSkips = 9;
  JoinCall call{.who = IdentityOf(body.member_id, body.group_instance_id),
                .client_id = request.client_id,
                .client_host = ClientHost(request),
                .protocol_type = std::string(body.protocol_type),
                .session_timeout = std::chrono::milliseconds(body.session_timeout_ms),
                .rebalance_timeout = std::chrono::milliseconds(body.rebalance_timeout_ms),
                .takes_member_id = request.api_version >= kFirstThatTakesIds,
                .skips_assignment = request.api_version >= kFirstThatSkips};
  // Old clients tell none, or 0, and mean the session's.
  if (call.rebalance_timeout.count() <= 0) call.rebalance_timeout = call.session_timeout;
  call.protocols.reserve(body.protocols.size());
  for (const JoinGroupRequest::Protocol& protocol : body.protocols)
    call.protocols.push_back({std::string(protocol.name), std::string(AsText(protocol.metadata))});
  return call;
}

void ReplyToJoin(KafkaRequest& request, const JoinAnswer& answer) {
  const auto members = request.arena.New<JoinGroupResponse::Member>(answer.members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    const JoinedMember& member = answer.members[i];
    members[i].member_id = member.member;
    if (member.instance) members[i].group_instance_id = *member.instance;
    members[i].metadata = AsBytes(member.metadata);
  }
  JoinGroupResponse response;
  response.error_code = CodeOf(answer.error);
  response.generation_id = answer.generation;
  if (answer.protocol_type) response.protocol_type = *answer.protocol_type;
  response.protocol_name = std::nullopt;
  if (answer.protocol) response.protocol_name = *answer.protocol;
  response.leader = answer.leader;
  response.skip_assignment = answer.skip_assignment;
  response.member_id = answer.member;
  response.members = members;
  ReplyWith(request, response);
}

SyncCall ToCall(const SyncGroupRequest& body) {
  const auto text = [](const kafka::NullableText& field) {
    return field.has_value() ? std::optional(std::string(*field)) : std::nullopt;
  };
  SyncCall call{.who = IdentityOf(body.member_id, body.group_instance_id),
                .generation = body.generation_id,
                .protocol_type = text(body.protocol_type),
                .protocol = text(body.protocol_name)};
  call.assignments.reserve(body.assignments.size());
  for (const SyncGroupRequest::Assignment& each : body.assignments)
    call.assignments.emplace_back(std::string(each.member_id), std::string(AsText(each.assignment)));
  return call;
}

void ReplyToSync(KafkaRequest& request, const SyncAnswer& answer) {
  SyncGroupResponse response;
  response.error_code = CodeOf(answer.error);
  if (answer.protocol_type) response.protocol_type = *answer.protocol_type;
  if (answer.protocol) response.protocol_name = *answer.protocol;
  response.assignment = AsBytes(answer.assignment);
  ReplyWith(request, response);
}

}  // namespace

void HandleJoinGroup(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<JoinGroupRequest>(*request);
  if (!body) return;
  std::make_shared<ParkedCall<JoinAnswer>>(broker, request, ReplyToJoin)
      ->Begin([group = std::string(body->group_id), call = ToCall(*request, *body)](
                  GroupCoordinator& groups, auto done) { return groups.Join(group, call, std::move(done)); });
}

void HandleSyncGroup(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<SyncGroupRequest>(*request);
  if (!body) return;
  std::make_shared<ParkedCall<SyncAnswer>>(broker, request, ReplyToSync)
      ->Begin([group = std::string(body->group_id), call = ToCall(*body)](GroupCoordinator& groups, auto done) {
        return groups.Sync(group, call, std::move(done));
      });
}

}  // namespace millrace
