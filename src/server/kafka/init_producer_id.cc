// InitProducerId: an id of its own for every producer that asks; no transactions.
#include "kafka/messages/init_producer_id.h"

#include <fmt/format.h>

#include <string>

#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::InitProducerIdRequest;
using kafka::InitProducerIdResponse;

constexpr std::int64_t kNoId = -1;
constexpr std::int16_t kNoEpoch = -1;

void Refuse(KafkaRequest& request, std::int16_t code) {
  InitProducerIdResponse response;
  response.error_code = code;
  response.producer_epoch = kNoEpoch;
  ReplyWith(request, response);
}

void Give(KafkaRequest& request, std::int64_t id) {
  InitProducerIdResponse response;
  response.producer_id = id;
  ReplyWith(request, response);
}

}  // namespace

void HandleInitProducerId(Broker& broker, const RequestRef& request) {
  const auto body = DecodeBody<InitProducerIdRequest>(*request);
  if (!body) return;
  if (body->transactional_id) {
    // A code that clients repeat would have them wait for ever; and the answer has no room for words.
    broker.tell()(fmt::format("{} asked for transactions, which are not served: transactional.id={}",
                              request->client_id, *body->transactional_id));
    return Refuse(*request, reply_code::kInvalidRequest);
  }
  if ((body->producer_id == kNoId) != (body->producer_epoch == kNoEpoch))
    return Refuse(*request, reply_code::kInvalidRequest);
  // As with Kafka: without a transactional id every call gets an id of its own, also one that names the id it had.
  PartitionAccess& log = broker.log();
  if (const auto id = log.TryNewProducerId()) return Give(*request, *id);
  broker.RunBlocking(
      Broker::Pool::kAdmin, [&log] { return log.NewProducerId(); },
      [request](const Result<std::int64_t>& id) {
        if (id) return Give(*request, *id);
        // As Kafka says it: what passes (metadata out of reach) is asked again.
        Refuse(*request, id.error().retryable() ? reply_code::kCoordinatorLoading : reply_code::kUnknown);
      });
}

}  // namespace millrace
