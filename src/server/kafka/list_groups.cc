// ListGroups and DescribeGroups.
#include "kafka/messages/list_groups.h"

#include <algorithm>

#include "kafka/messages/describe_groups.h"
#include "server/kafka/group_reply.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::DescribeGroupsRequest;
using kafka::DescribeGroupsResponse;
using kafka::ListGroupsRequest;
using kafka::ListGroupsResponse;

constexpr std::string_view kType = "classic";

/// As Kafka compares them: whatever the case.
bool IsAmong(kafka::Array<kafka::Text> wanted, std::string_view word) {
  const auto same = [](char a, char b) {
    const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    return small(a) == small(b);
  };
  return wanted.empty() ||
         std::ranges::any_of(wanted, [&](kafka::Text each) { return std::ranges::equal(each, word, same); });
}

using Listing = Result<std::vector<GroupListing>>;

void ReplyToList(KafkaRequest& request, const ListGroupsRequest& body, const Listing& listing) {
  ListGroupsResponse response;
  if (!listing) {
    response.error_code = reply_code::kCoordinatorNotAvailable;
    return ReplyWith(request, response);
  }
  std::vector<ListGroupsResponse::Group> groups;
  for (const GroupListing& each : *listing) {
    if (!IsAmong(body.states_filter, GroupStateName(each.state)) || !IsAmong(body.types_filter, kType)) continue;
    groups.push_back({.group_id = each.name,
                      .protocol_type = each.protocol_type,
                      .group_state = GroupStateName(each.state),
                      .group_type = kType});
  }
  response.groups = groups;
  ReplyWith(request, response);
}

void Show(kafka::Arena& arena, const GroupDescription& found, DescribeGroupsResponse::Group& shown) {
  shown.error_code = CodeOf(found.error);
  shown.group_state = found.error == GroupError::kNone ? GroupStateName(found.state) : std::string_view();
  shown.protocol_type = found.protocol_type;
  shown.protocol_data = found.protocol;
  const auto members = arena.New<DescribeGroupsResponse::Member>(found.members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    const MemberSnapshot& member = found.members[i];
    members[i].member_id = member.member;
    if (member.instance) members[i].group_instance_id = *member.instance;
    members[i].client_id = member.client_id;
    members[i].client_host = member.client_host;
    members[i].member_metadata = AsBytes(member.metadata);
    members[i].member_assignment = AsBytes(member.assignment);
  }
  shown.members = members;
}

void ReplyToDescribe(KafkaRequest& request, const DescribeGroupsRequest& body,
                     const std::vector<GroupDescription>& found) {
  constexpr std::int16_t kFirstThatMisses = 6;
  const auto groups = request.arena.New<DescribeGroupsResponse::Group>(body.groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].group_id = body.groups[i];
    Show(request.arena, found[i], groups[i]);
    const bool missing = found[i].error == GroupError::kNone && found[i].state == GroupState::kDead;
    if (!missing || request.api_version < kFirstThatMisses) continue;
    groups[i].error_code = reply_code::kGroupIdNotFound;
    groups[i].error_message = "there is no such group";
  }
  DescribeGroupsResponse response;
  response.groups = groups;
  ReplyWith(request, response);
}

}  // namespace

void HandleListGroups(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<ListGroupsRequest>(*request);
  if (!body) return;
  auto reply = ReplyOnLoop<Listing>(
      request, [body = *body](KafkaRequest& to, const Listing& listing) { ReplyToList(to, body, listing); });
  broker.AskGroups([reply = std::move(reply)](GroupCoordinator& groups) mutable { groups.List(std::move(reply)); });
}

void HandleDescribeGroups(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<DescribeGroupsRequest>(*request);
  if (!body) return;
  if (RefuseMoreThan(kGroupsOfRequestMax, body->groups.size(), *request)) return;
  std::vector<std::string> names(body->groups.begin(), body->groups.end());
  if (names.empty()) return ReplyToDescribe(*request, *body, {});
  auto reply = ReplyOnLoop<std::vector<GroupDescription>>(
      request, [body = *body](KafkaRequest& to, const std::vector<GroupDescription>& found) {
        ReplyToDescribe(to, body, found);
      });
  broker.AskGroups([names = std::move(names), reply = std::move(reply)](GroupCoordinator& groups) mutable {
    const auto all = std::make_shared<Gathered<GroupDescription>>(names.size(), std::move(reply));
    for (std::size_t i = 0; i < names.size(); ++i)
      groups.Describe(names[i], [all, i](GroupDescription one) { all->Set(i, std::move(one)); });
  });
}

}  // namespace millrace
