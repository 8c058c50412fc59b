#include "kafka/messages/find_coordinator.h"

#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::FindCoordinatorRequest;
using kafka::FindCoordinatorResponse;

constexpr std::int8_t kGroup = 0;

/// This node looks after all groups, and nobody after anything else: refused in a way that no client tries again.
FindCoordinatorResponse::Coordinator Answer(const BrokerSettings& settings, std::int8_t key_type, kafka::Text key) {
  FindCoordinatorResponse::Coordinator answer;
  answer.key = key;
  if (key_type == kGroup) {
    answer.node_id = settings.node_id;
    answer.host = settings.host;
    answer.port = settings.port;
    answer.error_message = "NONE";  // Kafka's word for it
    return answer;
  }
  answer.node_id = answer.port = -1;
  answer.error_code = reply_code::kInvalidRequest;
  answer.error_message = key_type == 1 ? "transactions are not served here" : "there is no coordinator of this kind";
  return answer;
}

}  // namespace

void HandleFindCoordinator(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<FindCoordinatorRequest>(*request);
  if (!body) return;
  FindCoordinatorResponse response;
  constexpr std::int16_t kFirstOfMany = 4;
  if (request->api_version >= kFirstOfMany) {
    const auto answers = request->arena.New<FindCoordinatorResponse::Coordinator>(body->coordinator_keys.size());
    for (std::size_t i = 0; i < answers.size(); ++i)
      answers[i] = Answer(broker.settings(), body->key_type, body->coordinator_keys[i]);
    response.coordinators = answers;
    return ReplyWith(*request, response);
  }
  const auto answer = Answer(broker.settings(), body->key_type, body->key);
  response.error_code = answer.error_code;
  response.error_message = answer.error_message;
  response.node_id = answer.node_id;
  response.host = answer.host;
  response.port = answer.port;
  ReplyWith(*request, response);
}

}  // namespace millrace
