#include "kafka/messages/delete_topics.h"

#include <string>
#include <utility>
#include <vector>

#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"
#include "server/kafka/topic_changes.h"
#include "server/kafka/topic_names.h"

namespace millrace {
namespace {

using kafka::DeleteTopicsRequest;
using kafka::DeleteTopicsResponse;

struct GoneTopic {
  std::string name;  // empty: an id that no topic has
  kafka::Uuid id;
  TopicOutcome outcome;
};

GoneTopic ById(const MetadataImage& image, const kafka::Uuid& id) {
  const TopicImage* topic = image.Find(LogId(id));
  if (topic != nullptr) return {.name = topic->name, .id = id, .outcome = {}};
  return {.name = {}, .id = id, .outcome = {reply_code::kUnknownTopicId, "no topic has this id"}};
}

GoneTopic ByName(const MetadataImage& image, std::string_view name) {
  const TopicImage* topic = image.Find(name);
  if (topic != nullptr) return {.name = std::string(name), .id = WireId(topic->uuid), .outcome = {}};
  return {.name = std::string(name), .id = {}, .outcome = {reply_code::kUnknownTopic, "there is no such topic"}};
}

std::vector<GoneTopic> Read(Broker& broker, const KafkaRequest& request, const DeleteTopicsRequest& body) {
  constexpr std::int16_t kByIdSince = 6;
  const auto image = broker.image();
  std::vector<GoneTopic> topics;
  if (request.api_version < kByIdSince) {
    for (const std::string_view name : body.topic_names) topics.push_back(ByName(*image, name));
  } else {
    for (const auto& topic : body.topics)
      topics.push_back(topic.name ? ByName(*image, *topic.name) : ById(*image, topic.topic_id));
  }
  return topics;
}

void Reply(KafkaRequest& request, const std::vector<GoneTopic>& topics) {
  const auto answers = request.arena.New<DeleteTopicsResponse::Topic>(topics.size());
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (topics[i].name.empty()) {
      answers[i].name = std::nullopt;
    } else {
      answers[i].name = topics[i].name;
    }
    answers[i].topic_id = topics[i].id;
    answers[i].error_code = topics[i].outcome.code;
    if (!topics[i].outcome.ok()) answers[i].error_message = topics[i].outcome.message;
  }
  DeleteTopicsResponse response;
  response.responses = answers;
  ReplyWith(request, response);
}

}  // namespace

void HandleDeleteTopics(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<DeleteTopicsRequest>(*request);
  if (!body) return;
  Engine& engine = broker.engine();
  broker.RunBlocking(
      Broker::Pool::kAdmin,
      [&engine, topics = Read(broker, *request, *body)]() mutable {
        for (GoneTopic& topic : topics) {
          if (!topic.outcome.ok()) continue;
          const auto deleted = engine.DeleteTopic(topic.name);
          if (!deleted) topic.outcome = TopicOutcome::Of(deleted.error());
        }
        return std::move(topics);
      },
      [request](const std::vector<GoneTopic>& topics) { Reply(*request, topics); });
}

}  // namespace millrace
