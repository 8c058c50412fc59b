// Fetch: batches of several partitions of one node.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "client/cluster.h"
#include "client/fetched_records.h"
#include "millrace/read.h"
#include "millrace/result.h"

namespace millrace::client {

struct FetchLimits {
  std::uint64_t bytes_max = 1 << 20;  // the first batch comes whole nevertheless
  std::chrono::milliseconds wait{0};  // for a first byte
};

/// What was answered for one place.
struct FetchedPart {
  std::int16_t code = 0;
  Fetched fetched;  // the marks count under code 1 too, where the server tells them

  /// None: the server did not tell them.
  [[nodiscard]] std::optional<OffsetBounds> Bounds() const {
    if (fetched.high_watermark < Offset(0) || fetched.log_start < Offset(0)) return std::nullopt;
    return OffsetBounds{fetched.log_start, fetched.high_watermark};
  }
};

/// Asks `node`, which leads all of them; answers in the order of `places`. Errors: those of the connection, a refusal
/// of the whole request.
Result<std::vector<FetchedPart>> Fetch(Cluster& cluster, Connection& node, std::span<const ReadRequest> places,
                                       const FetchLimits& limits);

}  // namespace millrace::client
