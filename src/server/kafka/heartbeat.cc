// Heartbeat and LeaveGroup: answered at once.
#include "kafka/messages/heartbeat.h"

#include <algorithm>

#include "kafka/messages/leave_group.h"
#include "server/kafka/group_reply.h"

namespace millrace {
namespace {

using kafka::HeartbeatRequest;
using kafka::HeartbeatResponse;
using kafka::LeaveGroupRequest;
using kafka::LeaveGroupResponse;

constexpr std::int16_t kFirstOfMany = 3;

void ReplyToLeave(KafkaRequest& request, const LeaveGroupRequest& body, const std::vector<GroupError>& errors) {
  LeaveGroupResponse response;
  if (request.api_version < kFirstOfMany) {
    response.error_code = CodeOf(errors.front());
    return ReplyWith(request, response);
  }
  const auto concerns_group = [](GroupError error) {
    return error == GroupError::kCoordinatorNotAvailable || error == GroupError::kCoordinatorLoading ||
           error == GroupError::kInvalidGroupId;
  };
  const auto of_group = std::ranges::find_if(errors, concerns_group);
  if (of_group != errors.end()) {
    response.error_code = CodeOf(*of_group);
    return ReplyWith(request, response);
  }
  const auto members = request.arena.New<LeaveGroupResponse::Member>(body.members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    members[i].member_id = body.members[i].member_id;
    members[i].group_instance_id = body.members[i].group_instance_id;
    members[i].error_code = CodeOf(errors[i]);
  }
  response.members = members;
  ReplyWith(request, response);
}

}  // namespace

void HandleHeartbeat(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<HeartbeatRequest>(*request);
  if (!body) return;
  ReplyAtOnce(
      broker, request,
      [group = std::string(body->group_id), who = IdentityOf(body->member_id, body->group_instance_id),
       generation = body->generation_id](GroupCoordinator& groups) { return groups.Heartbeat(group, who, generation); },
      [](KafkaRequest& to, GroupError error) {
        HeartbeatResponse response;
        response.error_code = CodeOf(error);
        ReplyWith(to, response);
      });
}

void HandleLeaveGroup(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<LeaveGroupRequest>(*request);
  if (!body) return;
  std::vector<MemberIdentity> who;
  if (request->api_version < kFirstOfMany) who.push_back({.member = std::string(body->member_id)});
  for (const LeaveGroupRequest::Member& member : body->members)
    who.push_back(IdentityOf(member.member_id, member.group_instance_id));
  ReplyAtOnce(
      broker, request,
      [group = std::string(body->group_id), who = std::move(who)](GroupCoordinator& groups) {
        return groups.Leave(group, who);
      },
      [body = *body](KafkaRequest& to, const std::vector<GroupError>& errors) { ReplyToLeave(to, body, errors); });
}

}  // namespace millrace
