#include "kafka/messages/metadata.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"
#include "server/kafka/topic_names.h"

namespace millrace {
namespace {

using kafka::MetadataRequest;
using kafka::MetadataResponse;

bool WantsAll(const KafkaRequest& request, const MetadataRequest& body) {
  // Version 0 knows no null.
  return request.api_version == 0 ? body.topics->empty() : !body.topics;
}

/// The fields are there before the versions that know what to do with them.
bool AsksByIdTooEarly(const KafkaRequest& request, const MetadataRequest& body) {
  constexpr std::int16_t kFirstById = 12;
  return request.api_version < kFirstById &&
         std::ranges::any_of(
             *body.topics,
             [](const MetadataRequest::Topic& topic) { return !topic.name || topic.topic_id != kafka::Uuid(); });
}

class Answer {
 public:
  Answer(Broker& broker, KafkaRequest& request)
      : image_(broker.image()), settings_(broker.settings()), request_(request) {
    node_ = request.arena.New<std::int32_t>(1);
    node_[0] = settings_.node_id;
  }

  void Send(const MetadataRequest& body) {
    MetadataResponse response;
    const MetadataResponse::Broker broker{.node_id = settings_.node_id, .host = settings_.host, .port = settings_.port};
    response.brokers = {&broker, 1};
    response.cluster_id = settings_.cluster_id;
    response.controller_id = settings_.node_id;
    response.topics = WantsAll(request_, body)           ? All()
                      : AsksByIdTooEarly(request_, body) ? Refused(*body.topics)
                                                         : Asked(*body.topics);
    ReplyWith(request_, response);
  }

 private:
  kafka::Array<MetadataResponse::Topic> All() {
    const auto topics = request_.arena.New<MetadataResponse::Topic>(image_->topics().size());
    std::ranges::transform(image_->topics(), topics.begin(), [&](const auto& topic) { return Known(*topic); });
    return topics;
  }

  kafka::Array<MetadataResponse::Topic> Asked(kafka::Array<MetadataRequest::Topic> asked) {
    const auto topics = request_.arena.New<MetadataResponse::Topic>(asked.size());
    std::ranges::transform(asked, topics.begin(), [&](const MetadataRequest::Topic& topic) { return One(topic); });
    return topics;
  }

  kafka::Array<MetadataResponse::Topic> Refused(kafka::Array<MetadataRequest::Topic> asked) {
    const auto topics = request_.arena.New<MetadataResponse::Topic>(asked.size());
    std::ranges::transform(asked, topics.begin(), [](const MetadataRequest::Topic& topic) {
      return MetadataResponse::Topic{.error_code = reply_code::kInvalidRequest, .name = topic.name.value_or("")};
    });
    return topics;
  }

  MetadataResponse::Topic One(const MetadataRequest::Topic& asked) {
    // Where both are there, the id counts.
    if (!asked.name || asked.topic_id != kafka::Uuid()) {
      const TopicImage* topic = image_->Find(LogId(asked.topic_id));
      if (topic != nullptr) return Known(*topic);
      MetadataResponse::Topic unknown;
      unknown.error_code = reply_code::kUnknownTopicId;
      unknown.name = std::nullopt;
      unknown.topic_id = asked.topic_id;
      return unknown;
    }
    const TopicImage* topic = image_->Find(*asked.name);
    if (topic != nullptr) return Known(*topic);
    MetadataResponse::Topic unknown;
    unknown.error_code = IsTopicName(*asked.name) ? reply_code::kUnknownTopic : reply_code::kInvalidTopic;
    unknown.name = *asked.name;
    return unknown;
  }

  MetadataResponse::Topic Known(const TopicImage& topic) {
    const auto partitions = request_.arena.New<MetadataResponse::Partition>(topic.partitions.size());
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      partitions[i] = {.partition_index = static_cast<std::int32_t>(i),
                       .leader_id = settings_.node_id,
                       .leader_epoch = topic.partitions[i].epoch.value(),
                       .replica_nodes = node_,
                       .isr_nodes = node_};
    }
    MetadataResponse::Topic known;
    known.name = topic.name;
    known.topic_id = WireId(topic.uuid);
    known.partitions = partitions;
    return known;
  }

  const std::shared_ptr<const MetadataImage> image_;  // what the reply names lies in it
  const BrokerSettings& settings_;
  KafkaRequest& request_;
  std::span<std::int32_t> node_;
};

/// Names to create before the answer; each once.
std::vector<std::string> Missing(Broker& broker, const MetadataRequest& body) {
  std::vector<std::string> missing;
  if (!broker.settings().auto_create_topics || !body.allow_auto_topic_creation || !body.topics) return missing;
  const auto image = broker.image();
  std::unordered_set<std::string_view> seen;
  for (const MetadataRequest::Topic& topic : *body.topics) {
    if (!topic.name || topic.topic_id != kafka::Uuid() || !IsTopicName(*topic.name) ||
        image->Find(*topic.name) != nullptr)
      continue;
    if (seen.insert(*topic.name).second) missing.emplace_back(*topic.name);
  }
  return missing;
}

}  // namespace

void HandleMetadata(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<MetadataRequest>(*request);
  if (!body) return;
  std::vector<std::string> missing = Missing(broker, *body);
  if (missing.empty()) return Answer(broker, *request).Send(*body);
  Engine& engine = broker.engine();
  const TopicOptions& options = broker.settings().topic_defaults;
  const Broker::Tell& tell = broker.tell();
  broker.RunBlocking(
      Broker::Pool::kAdmin,
      [&engine, &options, &tell, missing = std::move(missing)] {
        for (const std::string& name : missing) {
          // What could not be created is unknown in the answer, and the client asks again.
          const auto created = engine.CreateTopic(name, options);
          if (!created && created.error().code() != ErrorCode::kAlreadyExists)
            tell("cannot create topic " + name + ": " + created.error().ToString());
        }
        return missing.size();
      },
      [&broker, request, body = *body](std::size_t) { Answer(broker, *request).Send(body); });
}

}  // namespace millrace
