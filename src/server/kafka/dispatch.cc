#include "server/kafka/dispatch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/coding.h"
#include "kafka/api_ranges.h"
#include "kafka/messages/api_keys.h"

namespace millrace {
namespace {

using kafka::ApiKey;
using Handler = void (*)(Broker&, const RequestRef&);

constexpr std::array kHandlers = std::to_array<std::pair<ApiKey, Handler>>({
    {ApiKey::kProduce, HandleProduce},
    {ApiKey::kFetch, HandleFetch},
    {ApiKey::kListOffsets, HandleListOffsets},
    {ApiKey::kMetadata, HandleMetadata},
    {ApiKey::kOffsetCommit, HandleOffsetCommit},
    {ApiKey::kOffsetFetch, HandleOffsetFetch},
    {ApiKey::kFindCoordinator, HandleFindCoordinator},
    {ApiKey::kJoinGroup, HandleJoinGroup},
    {ApiKey::kHeartbeat, HandleHeartbeat},
    {ApiKey::kLeaveGroup, HandleLeaveGroup},
    {ApiKey::kSyncGroup, HandleSyncGroup},
    {ApiKey::kDescribeGroups, HandleDescribeGroups},
    {ApiKey::kListGroups, HandleListGroups},
    {ApiKey::kApiVersions, HandleApiVersions},
    {ApiKey::kCreateTopics, HandleCreateTopics},
    {ApiKey::kDeleteTopics, HandleDeleteTopics},
    {ApiKey::kInitProducerId, HandleInitProducerId},
    {ApiKey::kOffsetForLeaderEpoch, HandleOffsetForLeaderEpoch},
    {ApiKey::kDescribeConfigs, HandleDescribeConfigs},
    {ApiKey::kCreatePartitions, HandleCreatePartitions},
    {ApiKey::kDeleteGroups, HandleDeleteGroups},
    {ApiKey::kOffsetDelete, HandleOffsetDelete},
    {ApiKey::kDescribeCluster, HandleDescribeCluster},
});

constexpr std::size_t kClientIdMax = 249;  // as much as tools show of it

Handler FindHandler(std::int16_t key) {
  const auto found = std::ranges::find(kHandlers, static_cast<ApiKey>(key), &std::pair<ApiKey, Handler>::first);
  return found == kHandlers.end() ? nullptr : found->second;
}

/// The fields that stand first in every header whatever its version.
bool ReadFixedHeader(KafkaRequest& request) {
  constexpr std::size_t kFixedBytes = 8;
  const std::span<const std::byte> frame = request.frame().bytes;
  if (frame.size() < kFixedBytes) return false;
  request.api_key = GetBe<std::int16_t>(frame.data());
  request.api_version = GetBe<std::int16_t>(frame.data() + 2);
  request.correlation_id = GetBe<std::int32_t>(frame.data() + 4);
  return true;
}

}  // namespace

void HandleRequest(Broker& broker, const RequestRef& request) {
  if (!ReadFixedHeader(*request)) return request->EndByClosing("a request too short for a header");
  const kafka::ApiRange* range = kafka::FindApiRange(request->api_key);
  const Handler handler = FindHandler(request->api_key);
  if (range == nullptr || handler == nullptr || range->accepted.empty())
    return request->EndByClosing(fmt::format("API {} is not served", request->api_key));
  const bool accepted = range->accepted.Contains(request->api_version);
  if (!accepted && handler != HandleApiVersions)
    return request->EndByClosing(fmt::format("{} version {} is not served", range->name, request->api_version));
  if (accepted) {
    kafka::WireReader in(request->frame().bytes, request->arena);
    const auto header = kafka::ReadRequestHeader(in);
    if (!header) return request->EndByClosing(std::string(header.error().message()));
    request->client_id = std::string(header->client_id->substr(0, kClientIdMax));
    request->body = std::span<const std::byte>(request->frame().bytes).subspan(in.position());
  }
  handler(broker, request);
}

}  // namespace millrace
