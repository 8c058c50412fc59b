// HTTP/1.1 over libcurl: connections are kept and used again, a slow request can be raced by a second one, bodies go
// straight into their parts. Nothing is read from the environment: no proxy, no netrc.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "http/http_transport.h"
#include "millrace/clock.h"

namespace millrace {

/// Safe from any thread: each call takes a lane (one libcurl multi handle with up to two connections) and gives it back
/// after, so that the lane used last, whose connections are warm, is taken first. Memory: about 0.4 MiB for each call
/// under way.
class CurlTransport final : public HttpTransport {
 public:
  struct Options {
    std::chrono::milliseconds connect_time_max{5'000};
    std::chrono::seconds stall_time_max{10};  // with less than a KiB/s moved, the peer counts as gone
    std::chrono::seconds idle_time_max{50};   // a connection unused for longer is not used again
    std::size_t idle_lanes_max = 128;         // more are closed when their call ends
    std::string ca_file;                      // certificates of authorities, PEM; "": the system's
  };

  /// kUnavailable, with what to install: this machine has no libcurl. Nothing else of this class may be used then.
  static Result<void> Available();
  /// `clock` outlives the transport; deadlines are on it.
  explicit CurlTransport(const Clock& clock) : CurlTransport(clock, Options{}) {}
  CurlTransport(const Clock& clock, Options options);
  ~CurlTransport() override;

  Result<HttpResponse> Send(const HttpRequest& request) override;
  Result<HttpResponse> Race(const HttpRequest& request, const HedgePlan& plan) override;

  /// Connections opened so far: what reuse saved.
  [[nodiscard]] std::uint64_t connections() const;

 private:
  class Lanes;
  Result<HttpResponse> Run(const HttpRequest& request, const HedgePlan* plan);

  const Clock& clock_;
  const Options options_;
  const std::unique_ptr<Lanes> lanes_;
};

}  // namespace millrace
