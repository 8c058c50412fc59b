// OffsetFetch: where groups stand, one group up to v7 and many from v8 on.
#include "kafka/messages/offset_fetch.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "server/kafka/group_reply.h"

namespace millrace {
namespace {

using kafka::OffsetFetchRequest;
using kafka::OffsetFetchResponse;

constexpr std::int16_t kFirstOfManyGroups = 8, kFirstWithGroupError = 2;

struct Wanted {
  std::int32_t index = 0;
  PartitionHandle partition;  // none: there is none, and so no position
  std::optional<PositionRow> found;
};
struct WantedTopic {
  std::string name;
  std::vector<Wanted> partitions;
};
/// One group of a request.
struct Question {
  std::string group;
  bool all = false;  // of its positions; else those of `topics`
  std::vector<WantedTopic> topics;
  GroupError error = GroupError::kNone;
};
using Questions = std::vector<Question>;

template <class Topics>
Question Ask(PartitionAccess& log, kafka::Text group, const Topics& topics) {
  Question question{.group = std::string(group), .all = !topics.has_value()};
  for (const auto& asked : *topics) {
    WantedTopic& topic = question.topics.emplace_back(WantedTopic{.name = std::string(asked.name)});
    for (const std::int32_t index : asked.partition_indexes)
      topic.partitions.push_back({.index = index, .partition = log.Find(asked.name, PartitionId(index))});
  }
  return question;
}

Questions ReadQuestions(PartitionAccess& log, const KafkaRequest& request, const OffsetFetchRequest& body) {
  Questions questions;
  if (request.api_version < kFirstOfManyGroups) {
    questions.push_back(Ask(log, body.group_id, body.topics));
    return questions;
  }
  for (const OffsetFetchRequest::Group& group : body.groups)
    questions.push_back(Ask(log, group.group_id, group.topics));
  return questions;
}

std::optional<std::vector<PartitionKey>> KeysOf(const Question& question) {
  if (question.all) return std::nullopt;
  std::vector<PartitionKey> keys;
  for (const WantedTopic& topic : question.topics)
    for (const Wanted& wanted : topic.partitions)
      if (wanted.partition) keys.push_back(GroupAccess::KeyOf(wanted.partition));
  return keys;
}

/// All of a group's positions become its answer, by the names that topics have now.
void TakeAll(const MetadataImage& image, std::vector<PositionRow> rows, Question& question) {
  std::unordered_map<std::int64_t, const TopicImage*> by_id;
  for (const auto& topic : image.topics()) {
    if (!topic->partitions.empty())
      by_id[GroupAccess::KeyOf(topic->partitions.front().handle).topic.value()] = topic.get();
  }
  std::map<std::string_view, WantedTopic> topics;
  for (PositionRow& row : rows) {
    const auto found = by_id.find(row.key.partition.topic.value());
    if (found == by_id.end()) continue;  // gone meanwhile
    WantedTopic& topic = topics[found->second->name];
    topic.name = found->second->name;
    topic.partitions.push_back(
        {.index = row.key.partition.partition.value(), .partition = {}, .found = std::move(row)});
  }
  for (auto& [name, topic] : topics) question.topics.push_back(std::move(topic));
}

void TakeAsked(std::vector<PositionRow> rows, Question& question) {
  std::map<PartitionKey, PositionRow*> by_key;
  for (PositionRow& row : rows) by_key[row.key.partition] = &row;
  for (WantedTopic& topic : question.topics) {
    for (Wanted& wanted : topic.partitions) {
      if (!wanted.partition) continue;
      const auto found = by_key.find(GroupAccess::KeyOf(wanted.partition));
      if (found != by_key.end()) wanted.found = *found->second;
    }
  }
}

/// Of one group, in either form of the response.
template <class Topic, class Partition>
kafka::Array<Topic> Topics(kafka::Arena& arena, const Question& question, std::int16_t code) {
  const auto topics = arena.New<Topic>(question.topics.size());
  for (std::size_t t = 0; t < topics.size(); ++t) {
    const WantedTopic& wanted = question.topics[t];
    const auto partitions = arena.New<Partition>(wanted.partitions.size());
    for (std::size_t p = 0; p < partitions.size(); ++p) {
      const std::optional<PositionRow>& found = wanted.partitions[p].found;
      partitions[p].partition_index = wanted.partitions[p].index;
      partitions[p].error_code = code;
      partitions[p].committed_offset = found ? found->position.value() : -1;
      if (found && found->leader_epoch) partitions[p].committed_leader_epoch = found->leader_epoch->value();
      partitions[p].metadata = found ? std::string_view(found->metadata) : std::string_view();
    }
    topics[t].name = wanted.name;
    topics[t].partitions = partitions;
  }
  return topics;
}

void Reply(KafkaRequest& request, const Questions& questions) {
  OffsetFetchResponse response;
  if (request.api_version < kFirstOfManyGroups) {
    const Question& question = questions.front();
    response.error_code = CodeOf(question.error);
    // Before there was a place for it, each partition had the group's error.
    const std::int16_t code = request.api_version < kFirstWithGroupError ? CodeOf(question.error) : std::int16_t{0};
    response.topics = Topics<OffsetFetchResponse::Topic, OffsetFetchResponse::Partition>(request.arena, question, code);
    return ReplyWith(request, response);
  }
  const auto groups = request.arena.New<OffsetFetchResponse::Group>(questions.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].group_id = questions[i].group;
    groups[i].error_code = CodeOf(questions[i].error);
    groups[i].topics =
        Topics<OffsetFetchResponse::GroupTopic, OffsetFetchResponse::GroupPartition>(request.arena, questions[i], 0);
  }
  response.groups = groups;
  ReplyWith(request, response);
}

/// What was found for each group; none: it cannot be told now.
using Found = std::vector<std::optional<std::vector<PositionRow>>>;

void Take(Broker& broker, Found& found, Questions& questions) {
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (!found[i]) {
      questions[i].error = GroupError::kCoordinatorNotAvailable;
    } else if (questions[i].all) {
      TakeAll(*broker.image(), *std::move(found[i]), questions[i]);
    } else {
      TakeAsked(*std::move(found[i]), questions[i]);
    }
  }
}

std::size_t CountPartitions(const OffsetFetchRequest& body) {
  std::size_t count = 0;
  for (const OffsetFetchRequest::Topic& topic : *body.topics) count += topic.partition_indexes.size();
  for (const OffsetFetchRequest::Group& group : body.groups)
    for (const OffsetFetchRequest::GroupTopic& topic : *group.topics) count += topic.partition_indexes.size();
  return count;
}

}  // namespace

void HandleOffsetFetch(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<OffsetFetchRequest>(*request);
  if (!body) return;
  if (RefuseMoreThan(kGroupsOfRequestMax, body->groups.size(), *request)) return;
  if (RefuseMoreThan(kPartitionsOfRequestMax, CountPartitions(*body), *request)) return;
  Questions questions = ReadQuestions(broker.log(), *request, *body);
  if (questions.empty()) return Reply(*request, questions);
  std::vector<std::pair<std::string, std::optional<std::vector<PartitionKey>>>> asked;
  for (const Question& question : questions) asked.emplace_back(question.group, KeysOf(question));
  auto reply =
      ReplyOnLoop<Found>(request, [&broker, questions = std::move(questions)](KafkaRequest& to, Found& found) mutable {
        Take(broker, found, questions);
        Reply(to, questions);
      });
  broker.AskGroups([asked = std::move(asked), reply = std::move(reply)](GroupCoordinator& groups) mutable {
    const auto all = std::make_shared<Gathered<Found::value_type>>(asked.size(), std::move(reply));
    for (std::size_t i = 0; i < asked.size(); ++i) {
      auto& [group, partitions] = asked[i];
      groups.Fetch(group, std::move(partitions), [all, i](GroupCoordinator::Positions found) {
        all->Set(i, found ? std::optional(*std::move(found)) : std::nullopt);
      });
    }
  });
}

}  // namespace millrace
