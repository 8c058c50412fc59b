#include "kafka/messages/describe_cluster.h"

#include "server/kafka/handlers.h"

namespace millrace {

void HandleDescribeCluster(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<kafka::DescribeClusterRequest>(*request);
  if (!body) return;
  constexpr std::int8_t kBrokers = 1;
  constexpr std::int16_t kUnsupportedEndpointType = 115;
  const BrokerSettings& settings = broker.settings();
  kafka::DescribeClusterResponse response;
  const kafka::DescribeClusterResponse::Broker node{
      .broker_id = settings.node_id, .host = settings.host, .port = settings.port};
  response.endpoint_type = body->endpoint_type;
  if (body->endpoint_type == kBrokers) {
    response.cluster_id = settings.cluster_id;
    response.controller_id = settings.node_id;
    response.brokers = {&node, 1};
  } else {
    response.error_code = kUnsupportedEndpointType;
    response.error_message = "there are no controllers apart from the brokers";
  }
  ReplyWith(*request, response);
}

}  // namespace millrace
