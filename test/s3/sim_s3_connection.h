// One connection of the simulated S3: requests are read from it and answers written to it, at the pace they ask for.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "test/s3/sim_s3_reply.h"
#include "test/s3/sim_s3_request.h"

namespace millrace {

class SimS3Connection {
 public:
  /// Neither descriptor is owned. Waiting ends early once `stop_event` can be read.
  SimS3Connection(int socket, int stop_event) : socket_(socket), stop_event_(stop_event) {}

  /// The next request, whole. None: the peer closed, or what it says is not HTTP.
  std::optional<SimS3Request> Receive();
  /// False: the connection is at its end.
  bool Send(const SimS3Request& request, const SimS3Reply& reply);

 private:
  using Time = std::chrono::steady_clock::time_point;
  bool ReadMore();
  bool ReceiveBody(std::uint64_t length, bool expects_continue, SharedBytes* body);
  bool WriteAll(std::string_view head, std::span<const std::byte> body);
  bool WritePaced(std::span<const std::byte> body, std::uint64_t bytes_per_second, std::chrono::nanoseconds stall);
  /// False: the server stops.
  bool WaitUntil(Time time);

  const int socket_, stop_event_;
  std::string unread_;
};

}  // namespace millrace
