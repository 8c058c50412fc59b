// One request of S3 to one bucket, from what is meant to what comes back:
//
//   circuit breaker ─► limit of its kind ─► credentials, signature ─► transport (a slow get is sent twice) ─► lessons
//   for all of them
//
// It repeats nothing else and judges no status but to learn from it.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/counter.h"
#include "http/http_transport.h"
#include "http/uri_encoding.h"
#include "millrace/clock.h"
#include "store/s3/aws_credential_source.h"
#include "store/s3/circuit_breaker.h"
#include "store/s3/latency_tracker.h"
#include "store/s3/request_limiter.h"
#include "store/s3/s3_settings.h"
#include "store/s3/sigv4.h"

namespace millrace {

struct S3Request {
  HttpMethod method = HttpMethod::kGet;
  RequestKind kind = RequestKind::kGet;
  Urgency urgency = Urgency::kForeground;
  std::string_view key;  // of the object, without the store's prefix; "": the bucket
  Query query;
  std::vector<HttpHeader> headers;
  std::span<const SharedBytes> body;
  std::span<const std::uint64_t> part_lengths;
  std::uint64_t unsized_bytes_max = 64 << 10;
  std::uint64_t body_bytes = 0;  // that move either way, as far as known
  Hedging hedging = Hedging::kOff;
  bool sign_body = false;  // over TLS too, for want of a checksum
};

/// Since the client was made.
struct S3Counts {
  std::uint64_t requests = 0;         // sent, second ones not counted
  std::uint64_t failed = 0;           // without a whole answer, or with a 5xx
  std::uint64_t throttled = 0;        // answered by 503 or 429
  std::uint64_t hedges = 0;           // gets sent a second time
  std::uint64_t hedges_won = 0;       // of which the second answered first
  std::uint64_t breaker_opened = 0;   // times the store was left alone
  std::uint64_t breaker_refused = 0;  // requests not sent meanwhile
  bool checksums_refused = false;     // the store refused the headers of checksums and does without
};

/// Safe from any thread; calls block.
class S3Client {
 public:
  /// `clock` outlives the client.
  S3Client(S3Settings settings, std::shared_ptr<HttpTransport> transport,
           std::shared_ptr<AwsCredentialSource> credentials, const Clock& clock);

  /// The answer, whatever its status. Errors: kUnavailable, kTimeout: nothing is known of the outcome; those of the
  /// credentials; kTimeout and kClosed at the limits of this thread (RequestScope), which hold for all that is waited
  /// for here.
  Result<HttpResponse> Exchange(const S3Request& request);
  /// Exchange with `header` of a checksum, as long as the store takes such headers: one that refused it and took the
  /// same request without is asked without from then on.
  Result<HttpResponse> ExchangeChecked(S3Request request, HttpHeader header);
  /// Whether the headers of checksums are sent.
  [[nodiscard]] bool checksums() const { return checksums_.load(std::memory_order_relaxed); }
  /// What an answer that is no 2xx means to the caller of `request`.
  [[nodiscard]] Error ErrorOf(const S3Request& request, const HttpResponse& response) const;
  /// An answer that could not be as it is: kUnavailable, to be asked again.
  [[nodiscard]] Error BadAnswer(const S3Request& request, std::string_view what) const;

  [[nodiscard]] const S3Settings& settings() const { return settings_; }
  /// "s3://bucket/prefix".
  [[nodiscard]] const std::string& place() const { return place_; }
  /// The store's prefix before `key`.
  [[nodiscard]] std::string FullKey(std::string_view key) const;
  [[nodiscard]] S3Counts Counts() const;

 private:
  [[nodiscard]] HttpRequest Signed(const S3Request& request, const AwsCredentials& credentials) const;
  [[nodiscard]] Error InPlace(const S3Request& request, const Error& error) const;
  Result<HttpResponse> Deliver(const S3Request& request, const HttpRequest& signed_request);
  void Learn(const S3Request& request, const Result<HttpResponse>& answer);

  const S3Settings settings_;
  const std::string place_;
  const std::shared_ptr<HttpTransport> transport_;
  const std::shared_ptr<AwsCredentialSource> credentials_;
  const Clock& clock_;
  const SigV4 signer_;
  // Each with its own synchronization.
  RequestLimiter limiter_;
  CircuitBreaker breaker_;
  LatencyTracker latency_;
  HedgeBudget hedge_budget_;
  std::atomic<bool> checksums_;
  Counter requests_, failed_, hedges_, hedges_won_;
};

}  // namespace millrace
