#include "kafka/messages/create_partitions.h"

#include <fmt/format.h>

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"
#include "server/kafka/topic_changes.h"

namespace millrace {
namespace {

using kafka::CreatePartitionsRequest;
using kafka::CreatePartitionsResponse;

struct GrownTopic {
  std::string name;
  TopicOptions options;
  TopicOutcome outcome;
};

TopicOutcome CheckCount(const CreatePartitionsRequest::Topic& asked, const TopicImage& topic) {
  const std::int32_t present = topic.options.partitions;
  if (asked.count <= present || asked.count > kPartitionsMax) {
    return {reply_code::kInvalidPartitions,
            fmt::format("topic {} has {} partitions, and may have up to {}: {} is no larger number of them", topic.name,
                        present, kPartitionsMax, asked.count)};
  }
  // None by hand is said by null, and by some clients by an empty list.
  const bool by_hand = asked.assignments && !asked.assignments->empty();
  if (by_hand && std::cmp_not_equal(asked.assignments->size(), asked.count - present))
    return {reply_code::kInvalidReplicaAssignment, "each new partition is to be assigned once"};
  return {};
}

std::vector<GrownTopic> Read(Broker& broker, const CreatePartitionsRequest& body) {
  std::unordered_map<std::string_view, int> times;
  for (const auto& asked : body.topics) ++times[asked.name];
  const auto image = broker.image();
  std::vector<GrownTopic> topics;
  for (const auto& asked : body.topics) {
    GrownTopic& topic = topics.emplace_back();
    topic.name = std::string(asked.name);
    const TopicImage* known = image->Find(asked.name);
    if (times[asked.name] > 1) {
      topic.outcome = {reply_code::kInvalidRequest, "the topic is named twice in the request"};
    } else if (known == nullptr) {
      topic.outcome = {reply_code::kUnknownTopic, "there is no such topic"};
    } else {
      topic.outcome = CheckCount(asked, *known);
      topic.options = known->options;
      topic.options.partitions = asked.count;
    }
  }
  return topics;
}

void Reply(KafkaRequest& request, const std::vector<GrownTopic>& topics) {
  const auto answers = request.arena.New<CreatePartitionsResponse::Topic>(topics.size());
  for (std::size_t i = 0; i < topics.size(); ++i) {
    answers[i].name = topics[i].name;
    answers[i].error_code = topics[i].outcome.code;
    if (!topics[i].outcome.ok()) answers[i].error_message = topics[i].outcome.message;
  }
  CreatePartitionsResponse response;
  response.results = answers;
  ReplyWith(request, response);
}

}  // namespace

void HandleCreatePartitions(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<CreatePartitionsRequest>(*request);
  if (!body) return;
  std::vector<GrownTopic> topics = Read(broker, *body);
  if (body->validate_only) return Reply(*request, topics);
  Engine& engine = broker.engine();
  broker.RunBlocking(
      Broker::Pool::kAdmin,
      [&engine, topics = std::move(topics)]() mutable {
        for (GrownTopic& topic : topics) {
          if (!topic.outcome.ok()) continue;
          const auto grown = engine.AlterTopic(topic.name, topic.options);
          if (!grown) topic.outcome = TopicOutcome::Of(grown.error());
        }
        return std::move(topics);
      },
      [request](const std::vector<GrownTopic>& grown) { Reply(*request, grown); });
}

}  // namespace millrace
