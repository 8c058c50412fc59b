// HTTP to the simulated S3 in virtual time: each call moves the simulated clock by what the exchange would have taken.
#pragma once

#include <chrono>

#include "env/sim/sim_clock.h"
#include "http/http_transport.h"
#include "test/s3/sim_s3.h"

namespace millrace {

/// For one thread: what overlaps on real connections follows one after the other here, except within Race().
class SimS3Transport final : public HttpTransport {
 public:
  /// Both outlive the transport.
  SimS3Transport(SimS3& store, SimClock& clock) : store_(store), clock_(clock) {}

  Result<HttpResponse> Send(const HttpRequest& request) override;
  Result<HttpResponse> Race(const HttpRequest& request, const HedgePlan& plan) override;

 private:
  struct Flight {
    std::chrono::nanoseconds takes{0};
    Result<HttpResponse> result = HttpResponse{};

    /// An answer that ends a race.
    [[nodiscard]] bool Settles() const { return result && result->status < 500 && result->status != 429; }
  };
  /// The request is sent now; the clock stands still.
  Flight Fly(const HttpRequest& request);

  SimS3& store_;
  SimClock& clock_;
};

}  // namespace millrace
