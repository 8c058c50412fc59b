// Load on a server from one thread, and what it cost: requests, their latencies, bytes, the server's processor time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/wire/server_process.h"

namespace millrace::bench {

struct Load {
  std::size_t connections = 1, in_flight = 1;  // requests of one connection without an answer
  double seconds = 1;
};

struct Cost {
  double seconds = 0, server_seconds = 0;  // of the clock, and of the server's processor time
  std::uint64_t requests = 0, bytes = 0;
  std::vector<double> latencies_us;  // one a request

  [[nodiscard]] double RequestsPerSecond() const { return static_cast<double>(requests) / seconds; }
  [[nodiscard]] double MegabytesPerSecond() const { return static_cast<double>(bytes) / 1e6 / seconds; }
  [[nodiscard]] double ServerSecondsPerGigabyte() const { return server_seconds * 1e9 / static_cast<double>(bytes); }
  /// The latency that the share `part` of requests did not exceed.
  [[nodiscard]] double Percentile(double part) const;
};

/// Sends `frames` (Produce to `topic`) in turn, each connection its next one when an answer has come. `bytes` are those
/// of the frames.
Cost Produce(const ServerProcess& server, std::string_view topic, std::span<const std::string> frames,
             const Load& load);

/// Reads [begin, end) of partition 0 `times` times over one connection by fetches of 1 MiB. `bytes` are those of
/// batches.
Cost Consume(const ServerProcess& server, std::string_view topic, std::int64_t begin, std::int64_t end,
             std::size_t times);

/// One record at a time into partition 0, to a fetch that is parked already: latencies from the send of the record to
/// its delivery.
Cost Deliver(const ServerProcess& server, std::string_view topic, const std::string& frame, std::size_t count);

/// `frames` produced by one connection for so long, while `consumers` connections follow the tail by fetches that wait.
/// `bytes` are those delivered, to all consumers together.
Cost Follow(const ServerProcess& server, std::string_view topic, std::span<const std::string> frames,
            std::size_t consumers, double seconds);

/// Where the partition ends that was produced to.
std::int64_t EndOf(const ServerProcess& server, std::string_view topic);

}  // namespace millrace::bench
