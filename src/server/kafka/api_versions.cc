#include "kafka/messages/api_versions.h"

#include <algorithm>

#include "kafka/api_ranges.h"
#include "server/kafka/handlers.h"
#include "server/kafka/reply_code.h"

namespace millrace {
namespace {

using kafka::ApiVersionsRequest;
using kafka::ApiVersionsResponse;

constexpr std::size_t kNameMax = 64;  // of a client's software, in a line of the log

kafka::Array<ApiVersionsResponse::ApiVersion> Advertised(kafka::Arena& arena) {
  const std::span<const kafka::ApiRange> ranges = kafka::ApiRanges();
  const auto shown = arena.New<ApiVersionsResponse::ApiVersion>(ranges.size());
  std::size_t count = 0;
  for (const kafka::ApiRange& range : ranges) {
    if (range.advertised.empty()) continue;
    shown[count++] = {
        .api_key = range.key, .min_version = range.advertised.first, .max_version = range.advertised.last};
  }
  return shown.first(count);
}

/// A version we do not know is answered in v0 with the versions we do, and the client asks again.
void RefuseVersion(KafkaRequest& request) {
  const kafka::ApiRange& own = *kafka::FindApiRange(ApiVersionsRequest::kApiKey);
  const ApiVersionsResponse::ApiVersion row{
      .api_key = own.key, .min_version = own.advertised.first, .max_version = own.advertised.last};
  ApiVersionsResponse response;
  response.error_code = reply_code::kUnsupportedVersion;
  response.api_keys = {&row, 1};
  request.Reply(kafka::EncodeResponse(response, 0, request.correlation_id));
}

}  // namespace

void HandleApiVersions(Broker&, const RequestRef& request) {
  if (!kafka::FindApiRange(ApiVersionsRequest::kApiKey)->accepted.Contains(request->api_version))
    return RefuseVersion(*request);
  const auto body = DecodeBody<ApiVersionsRequest>(*request);
  if (!body) return;
  if (!body->client_software_name.empty()) {
    request->client().software = std::string(body->client_software_name.substr(0, kNameMax)) + ' ' +
                                 std::string(body->client_software_version.substr(0, kNameMax));
  }
  ApiVersionsResponse response;
  response.api_keys = Advertised(request->arena);
  ReplyWith(*request, response);
}

}  // namespace millrace
