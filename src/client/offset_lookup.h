// ListOffsets: of many partitions of one node at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "client/cluster.h"
#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace::client {

inline constexpr std::int64_t kBeginTime = -2, kEndTime = -1;  // as the protocol spells these places

/// The offset of a time in each of `partitions`, in their order; -1 where no record is that late. All are asked of
/// `node`, which leads them. Errors: of the whole, those of the connection; of each alone, what the server refused.
Result<std::vector<Result<Offset>>> LookUpOffsets(Cluster& cluster, Connection& node,
                                                  std::span<const TopicPartition> partitions, std::int64_t time);

}  // namespace millrace::client
