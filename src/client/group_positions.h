// Who looks after a group, and where the group stands.
#pragma once

#include <map>
#include <string_view>

#include "client/cluster.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace::client {

/// The node that coordinates the group. One attempt.
Result<ConnectionRef> FindCoordinator(Cluster& cluster, std::string_view group);

/// Every position that the group has committed, asked of its coordinator. One attempt.
Result<std::map<TopicPartition, Offset>> FetchPositions(const Cluster& cluster, Connection& coordinator,
                                                        std::string_view group);

}  // namespace millrace::client
