// The rows of groups, and the server that they ask.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "bench/harness/suite.h"
#include "bench/wire/server_process.h"

namespace millrace::bench {

inline constexpr const char* kTopic = "t";

/// Positions, one request in flight a connection.
void CommitRow(Suite& suite);
/// Many members come into a group at once.
void RebalanceRow(Suite& suite);
/// Many groups whose members say that they are alive, and what they take of memory.
void CrowdRows(Suite& suite);
/// One reader of many partitions of which few change.
void SessionRow(Suite& suite);

/// `millrace serve` over a fresh folder of that name, with kTopic, room for many connections, and no wait for the
/// second member of a group.
std::unique_ptr<ServerProcess> ServeGroups(const Suite& suite, std::string_view name, std::int32_t partitions);

}  // namespace millrace::bench
