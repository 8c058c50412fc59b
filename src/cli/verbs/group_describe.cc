#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "cli/verbs/group_table.h"
#include "kafka/consumer_protocol.h"

namespace millrace {
namespace {

/// None: what it has is encoded in a way that is not known, as that of a group which is not of consumers.
std::optional<std::vector<TopicPartition>> AssignedTo(const GroupMembership& group,
                                                      const GroupMemberDescription& member) {
  if (group.protocol_type != "consumer") return std::nullopt;
  return kafka::ReadAssignment(member.assignment);
}

void WriteMember(JsonWriter& json, const GroupMembership& group, const GroupMemberDescription& member) {
  json.BeginObject().Member("member", member.member).Member("client", member.client_id);
  json.Member("host", member.client_host);
  if (!member.instance.empty()) json.Member("instance", member.instance);
  if (const auto partitions = AssignedTo(group, member)) {
    json.Key("assigned").BeginArray();
    for (const TopicPartition& one : *partitions)
      json.BeginObject().Member("topic", one.topic).Member("partition", one.partition.value()).EndObject();
    json.EndArray();
  }
  json.EndObject();
}

std::string Document(std::string_view name, const std::vector<GroupPosition>& positions, const GroupMembership& group) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.group.v1").Member("group", name);
  json.Member("lag", LagOf(positions)).Key("positions").BeginArray();
  for (const GroupPosition& position : positions) WriteGroupPosition(json, position);
  json.EndArray().Member("state", group.state).Member("protocol", group.protocol).Key("members").BeginArray();
  for (const GroupMemberDescription& member : group.members) WriteMember(json, group, member);
  json.EndArray().EndObject();
  return text + '\n';
}

Table PositionTable(const std::vector<GroupPosition>& positions) {
  Table table({"TOPIC", "PARTITION", "POSITION", "LAG"});
  for (const GroupPosition& position : positions) {
    table.Add({Cell::Text(position.partition.topic), Cell::Number(position.partition.partition.value()),
               Cell::Number(position.position.value()), Cell::Count(position.lag)});
  }
  return table;
}

/// "orders/0 orders/1"; "-": nothing, or nobody knows what.
std::string Shown(const std::optional<std::vector<TopicPartition>>& partitions) {
  std::string text;
  if (partitions)
    for (const TopicPartition& one : *partitions)
      text.append(text.empty() ? "" : " ").append(one.topic + "/" + std::to_string(one.partition.value()));
  return text.empty() ? "-" : text;
}

Table MemberTable(const GroupMembership& group) {
  Table table({"MEMBER", "CLIENT", "HOST", "INSTANCE", "ASSIGNED"});
  for (const GroupMemberDescription& member : group.members) {
    table.Add({Cell::Text(member.member), Cell::Text(member.client_id), Cell::Text(member.client_host),
               Cell::Text(member.instance.empty() ? "-" : member.instance),
               Cell::Text(Shown(AssignedTo(group, member)))});
  }
  return table;
}

Result<ExitCode> Run(Session& session) {
  std::string name = session.arguments.Positional("GROUP");
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<Log> log, OpenLog(session, Creation::kNever));
  MR_ASSIGN_OR_RETURN(std::vector<GroupPosition> positions, FindGroup(*log, name));
  MR_ASSIGN_OR_RETURN(const GroupMembership group, log->DescribeGroupMembers(name));
  MR_TRY(log->Close(Closing::kAfterUpkeep));
  if (session.arguments.Has("--json")) {
    session.out.Write(Document(name, positions, group));
  } else {
    session.out.Write(session.arguments.Has("--members") ? MemberTable(group) : PositionTable(positions));
  }
  return ExitCode::kOk;
}

}  // namespace

Command GroupDescribeCommand() {
  return {
      .words = "group describe",
      .summary = "Tell where a group is in each partition, or who is in it",
      .log_flags = LogFlags::kLog,
      .positionals = {{"GROUP", "its name"}},
      .flags = {{"--members", "", "its consumers instead, and which partitions each has"},
                {"--json", "", "both, as one JSON document; errors are JSON too"}},
      .details = "In a directory the members are those that a server had in the group when it stopped.",
      .examples = {"millrace group describe readers --members --server localhost:9092"},
      .run = Run,
  };
}

}  // namespace millrace
