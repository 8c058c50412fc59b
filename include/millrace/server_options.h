// Every setting of the server, with its default and its unit. All are validated once, at Server::Start.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/options.h"

namespace millrace {

struct ServerAddress {
  std::string host;  // a name or an address; IPv6 without brackets
  std::uint16_t port = 0;

  /// "localhost:9092", "[::1]:9092".
  [[nodiscard]] std::string Text() const;
  /// None: it is neither, or the port is none. "HOST:PORT", "[::1]:9092", ":9092" for all addresses.
  static std::optional<ServerAddress> Parse(std::string_view text);
  friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

struct ServerOptions {
  /// Every address that a name has is bound: localhost means 127.0.0.1 and ::1. Port 0: one that is free.
  std::vector<ServerAddress> listen{{"localhost", 9092}};
  /// What clients are told to connect to; none: the first address listened on, as it was written.
  std::optional<ServerAddress> advertise;
  /// Without encryption and authentication only this machine is served, unless told otherwise.
  bool plaintext_beyond_loopback = false;
  std::int32_t node_id = 1;
  std::string cluster_id;  // "": made from nothing, and another at each start
  std::uint32_t loops = 1;
  std::uint32_t cold_threads = 4;  // that read from disk and object store
  bool auto_create_topics = false;
  std::chrono::milliseconds group_initial_delay{3'000};  // that the first member of an empty group waits for others
  TopicOptions topic_defaults{.retention_time = std::chrono::hours(7 * 24)};
  std::uint64_t batch_bytes_max = (1 << 20) + 12;
  std::uint32_t request_bytes_max = 100 << 20;
  std::uint64_t fetch_bytes_max = 55 << 20;       // of one reply
  std::uint64_t in_flight_bytes_max = 512 << 20;  // of all requests; when it is short, sockets are not read
  std::uint64_t connection_bytes_max = 16 << 20;  // of one connection's requests, unless one is larger alone
  std::uint64_t cold_bytes_max = 256 << 20;       // read for clients and not taken by them yet
  std::uint32_t connections_max = 10'000;
  std::uint32_t connections_per_address_max = 1'000;
  std::chrono::milliseconds idle_timeout{600'000};
  std::chrono::milliseconds handshake_timeout{10'000};  // until the first request
  std::chrono::milliseconds progress_timeout{30'000};   // for the rest of a request, or a client that takes its reply
  std::chrono::milliseconds stop_grace{10'000};         // what is in flight when the server stops
  /// A line for the operator, without its end; from any thread. None: nothing is told.
  std::function<void(std::string_view line)> on_log;
};

}  // namespace millrace
