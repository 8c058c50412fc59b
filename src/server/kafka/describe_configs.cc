// DescribeConfigs: of topics what they are set to, of the broker what topics get by default.
#include "kafka/messages/describe_configs.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kafka/topic_settings.h"
#include "server/kafka/config_source.h"
#include "server/kafka/fixed_settings.h"
#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::DescribeConfigsRequest;
using kafka::DescribeConfigsResponse;

constexpr std::int8_t kTopic = 2, kBroker = 4;  // kinds of resources

struct Shown {
  std::string name, value;
  ConfigSource source = ConfigSource::kDefault;
  ConfigType type = ConfigType::kString;
  bool read_only = false;
};

ConfigType TypeOf(std::string_view name) {
  if (name == "cleanup.policy") return ConfigType::kList;
  if (name.ends_with(".ms") || name.ends_with(".bytes")) return ConfigType::kLong;
  return ConfigType::kString;
}

std::vector<Shown> OfTopic(const BrokerSettings& settings, const TopicImage& topic) {
  std::vector<Shown> shown;
  const auto defaults = TopicSettings(settings.topic_defaults);
  const auto values = TopicSettings(topic.options);
  for (std::size_t i = 0; i < values.size(); ++i) {
    shown.push_back({.name = values[i].first,
                     .value = values[i].second,
                     .source = SourceOf(values[i], defaults[i]),
                     .type = TypeOf(values[i].first)});
  }
  for (FixedSetting& one : FixedSettings(settings)) {
    shown.push_back(
        {.name = std::string(one.name), .value = std::move(one.value), .type = one.type, .read_only = true});
  }
  return shown;
}

std::vector<Shown> OfBroker(const BrokerSettings& settings) {
  std::vector<Shown> shown{
      {.name = "broker.id",
       .value = fmt::format("{}", settings.node_id),
       .source = ConfigSource::kStaticBroker,
       .type = ConfigType::kInt},
      {.name = "advertised.listeners",
       .value = fmt::format("PLAINTEXT://{}:{}", settings.host, settings.port),
       .source = ConfigSource::kStaticBroker},
      {.name = "auto.create.topics.enable",
       .value = settings.auto_create_topics ? "true" : "false",
       .source = ConfigSource::kStaticBroker,
       .type = ConfigType::kBoolean},
      {.name = "num.partitions",
       .value = fmt::format("{}", settings.topic_defaults.partitions),
       .source = ConfigSource::kStaticBroker,
       .type = ConfigType::kInt},
      {.name = "default.replication.factor", .value = "1", .type = ConfigType::kInt},
      {.name = "message.max.bytes",
       .value = fmt::format("{}", settings.batch_bytes_max),
       .source = ConfigSource::kStaticBroker,
       .type = ConfigType::kInt},
      {.name = "fetch.max.bytes",
       .value = fmt::format("{}", settings.fetch_bytes_max),
       .source = ConfigSource::kStaticBroker,
       .type = ConfigType::kInt},
  };
  for (Shown& one : shown) one.read_only = true;
  return shown;
}

kafka::Array<DescribeConfigsResponse::Config> Configs(kafka::Arena& arena, const std::vector<Shown>& shown,
                                                      const DescribeConfigsRequest::Resource& asked) {
  const auto configs = arena.New<DescribeConfigsResponse::Config>(shown.size());
  std::size_t count = 0;
  for (const Shown& one : shown) {
    const bool wanted = !asked.configuration_keys ||
                        std::ranges::find(*asked.configuration_keys, one.name) != asked.configuration_keys->end();
    if (!wanted) continue;
    DescribeConfigsResponse::Config& config = configs[count++];
    config.name = Keep(arena, one.name);
    config.value = Keep(arena, one.value);
    config.read_only = one.read_only;
    config.config_source = static_cast<std::int8_t>(one.source);
    config.config_type = static_cast<std::int8_t>(one.type);
  }
  return configs.first(count);
}

DescribeConfigsResponse::Resource Answer(Broker& broker, const MetadataImage& image, kafka::Arena& arena,
                                         const DescribeConfigsRequest::Resource& asked) {
  DescribeConfigsResponse::Resource answer;
  answer.resource_type = asked.resource_type;
  answer.resource_name = asked.resource_name;
  const BrokerSettings& settings = broker.settings();
  if (asked.resource_type == kTopic) {
    if (const TopicImage* topic = image.Find(asked.resource_name)) {
      answer.configs = Configs(arena, OfTopic(settings, *topic), asked);
    } else {
      answer.error_code = reply_code::kUnknownTopic;
      answer.error_message = "there is no such topic";
    }
  } else if (asked.resource_type == kBroker &&
             (asked.resource_name.empty() || asked.resource_name == fmt::format("{}", settings.node_id))) {
    answer.configs = Configs(arena, OfBroker(settings), asked);
  } else {
    answer.error_code = reply_code::kInvalidRequest;
    answer.error_message = "only topics and this broker have settings";
  }
  return answer;
}

}  // namespace

void HandleDescribeConfigs(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<DescribeConfigsRequest>(*request);
  if (!body) return;
  const auto image = broker.image();
  const auto answers = request->arena.New<DescribeConfigsResponse::Resource>(body->resources.size());
  std::ranges::transform(body->resources, answers.begin(), [&](const DescribeConfigsRequest::Resource& asked) {
    return Answer(broker, *image, request->arena, asked);
  });
  DescribeConfigsResponse response;
  response.results = answers;
  ReplyWith(*request, response);
}

}  // namespace millrace
