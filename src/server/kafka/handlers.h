// One handler for each API that is served, each in a file of its own. A handler reads the request's body and brings the
// request to its end: at once, or later from a task of the loop.
#pragma once

#include <memory>

#include "server/kafka/broker.h"
#include "server/kafka/kafka_request.h"

namespace millrace {

using RequestRef = std::shared_ptr<KafkaRequest>;

void HandleApiVersions(Broker& broker, const RequestRef& request);
void HandleMetadata(Broker& broker, const RequestRef& request);
void HandleDescribeCluster(Broker& broker, const RequestRef& request);
void HandleCreateTopics(Broker& broker, const RequestRef& request);
void HandleDeleteTopics(Broker& broker, const RequestRef& request);
void HandleCreatePartitions(Broker& broker, const RequestRef& request);
void HandleDescribeConfigs(Broker& broker, const RequestRef& request);
void HandleProduce(Broker& broker, const RequestRef& request);
void HandleFetch(Broker& broker, const RequestRef& request);
void HandleListOffsets(Broker& broker, const RequestRef& request);
void HandleInitProducerId(Broker& broker, const RequestRef& request);
void HandleOffsetForLeaderEpoch(Broker& broker, const RequestRef& request);

void HandleFindCoordinator(Broker& broker, const RequestRef& request);
void HandleJoinGroup(Broker& broker, const RequestRef& request);
void HandleSyncGroup(Broker& broker, const RequestRef& request);
void HandleHeartbeat(Broker& broker, const RequestRef& request);
void HandleLeaveGroup(Broker& broker, const RequestRef& request);
void HandleOffsetCommit(Broker& broker, const RequestRef& request);
void HandleOffsetFetch(Broker& broker, const RequestRef& request);
void HandleListGroups(Broker& broker, const RequestRef& request);
void HandleDescribeGroups(Broker& broker, const RequestRef& request);
void HandleDeleteGroups(Broker& broker, const RequestRef& request);
void HandleOffsetDelete(Broker& broker, const RequestRef& request);

}  // namespace millrace
