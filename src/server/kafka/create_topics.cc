#include "kafka/messages/create_topics.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kafka/topic_settings.h"
#include "server/kafka/config_source.h"
#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"
#include "server/kafka/topic_changes.h"
#include "server/kafka/topic_names.h"

namespace millrace {
namespace {

using kafka::CreateTopicsRequest;
using kafka::CreateTopicsResponse;

struct NewTopic {
  std::string name;
  TopicOptions options;
  TopicOutcome outcome;
};

std::vector<NewTopic> Read(Broker& broker, const CreateTopicsRequest& body) {
  std::unordered_map<std::string_view, int> times;
  for (const auto& asked : body.topics) ++times[asked.name];
  const auto image = broker.image();
  std::vector<NewTopic> topics;
  for (const auto& asked : body.topics) {
    NewTopic& topic = topics.emplace_back(
        NewTopic{.name = std::string(asked.name), .options = broker.settings().topic_defaults, .outcome = {}});
    if (times[asked.name] > 1) {
      topic.outcome = {reply_code::kInvalidRequest, "the topic is named twice in the request"};
    } else if (image->Find(asked.name) != nullptr) {
      topic.outcome = {reply_code::kTopicExists, "topic " + topic.name + " exists already"};
    } else {
      topic.outcome = ReadTopicOptions(asked, broker.settings(), topic.options);
    }
  }
  return topics;
}

/// Blocks.
void Create(Engine& engine, std::vector<NewTopic>& topics) {
  for (NewTopic& topic : topics) {
    if (!topic.outcome.ok()) continue;
    const auto created = engine.CreateTopic(topic.name, topic.options);
    if (!created) topic.outcome = TopicOutcome::Of(created.error());
  }
}

kafka::Array<CreateTopicsResponse::Config> Configs(kafka::Arena& arena, const TopicOptions& options,
                                                   const TopicOptions& defaults) {
  const auto settings = TopicSettings(options), by_default = TopicSettings(defaults);
  const auto configs = arena.New<CreateTopicsResponse::Config>(settings.size());
  for (std::size_t i = 0; i < settings.size(); ++i) {
    configs[i].name = Keep(arena, settings[i].first);
    configs[i].value = Keep(arena, settings[i].second);
    configs[i].config_source = static_cast<std::int8_t>(SourceOf(settings[i], by_default[i]));
  }
  return configs;
}

void Reply(Broker& broker, KafkaRequest& request, const std::vector<NewTopic>& topics) {
  const auto image = broker.image();
  const auto answers = request.arena.New<CreateTopicsResponse::Topic>(topics.size());
  for (std::size_t i = 0; i < topics.size(); ++i) {
    const NewTopic& topic = topics[i];
    CreateTopicsResponse::Topic& answer = answers[i];
    answer.name = topic.name;
    answer.error_code = topic.outcome.code;
    if (!topic.outcome.ok()) {
      answer.error_message = topic.outcome.message;
      continue;
    }
    answer.error_message = std::nullopt;
    if (const TopicImage* made = image->Find(topic.name)) answer.topic_id = WireId(made->uuid);
    answer.num_partitions = topic.options.partitions;
    answer.replication_factor = 1;
    answer.configs = Configs(request.arena, topic.options, broker.settings().topic_defaults);
  }
  CreateTopicsResponse response;
  response.topics = answers;
  ReplyWith(request, response);
}

}  // namespace

void HandleCreateTopics(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<CreateTopicsRequest>(*request);
  if (!body) return;
  std::vector<NewTopic> topics = Read(broker, *body);
  const bool changes = std::ranges::any_of(topics, [](const NewTopic& topic) { return topic.outcome.ok(); });
  if (body->validate_only || !changes) return Reply(broker, *request, topics);
  Engine& engine = broker.engine();
  broker.RunBlocking(
      Broker::Pool::kAdmin,
      [&engine, topics = std::move(topics)]() mutable {
        Create(engine, topics);
        return std::move(topics);
      },
      [&broker, request](const std::vector<NewTopic>& made) { Reply(broker, *request, made); });
}

}  // namespace millrace
