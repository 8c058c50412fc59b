// Where a bucket is and how it is spoken to.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/result.h"
#include "store/circuit_breaker.h"
#include "store/request_limiter.h"

namespace millrace {

enum class S3Addressing { kPath, kVirtualHost };  // https://host/bucket/key, https://bucket.host/key
enum class Hedging { kOff, kOn };

struct S3Settings {
  std::string bucket;
  std::string prefix;  // of all keys, without a slash at its end; "": none
  std::string region = "us-east-1";
  bool tls = true;
  std::string host;  // of the endpoint, without the bucket
  std::uint16_t port = 443;
  S3Addressing addressing = S3Addressing::kVirtualHost;

  std::uint64_t single_put_bytes_max = 5ull << 30;   // S3's own limit; what is larger goes in parts
  std::uint64_t multipart_part_bytes = 64ull << 20;  // at least 5 MiB for S3; memory is not a matter, retries are
  /// One attempt may take this long and a second for each MiB it moves.
  std::chrono::milliseconds attempt_time_max{20'000};
  Hedging hedging = Hedging::kOn;
  std::uint32_t hedge_percent_max = 5;  // requests sent a second time, of all gets
  RequestLimiter::Options limits;
  CircuitBreaker::Options breaker;
};

/// "s3://bucket/prefix?endpoint=URL&region=NAME&style=path|virtual". An endpoint ("http://host:port"; https if it names
/// no scheme) means path style unless the URL says otherwise; without one it is Amazon's of the region.
/// `region_default` where the URL names none; empty: us-east-1. Errors: kInvalidArgument; values are not repeated, for
/// somebody may have put a secret there.
Result<S3Settings> ParseS3Url(std::string_view url, std::string_view region_default = {});

}  // namespace millrace
