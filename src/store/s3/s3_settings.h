// Where a bucket is and how it is spoken to.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/result.h"
#include "store/s3/circuit_breaker.h"
#include "store/s3/request_limiter.h"

namespace millrace {

enum class S3Addressing { kPath, kVirtualHost };  // https://host/bucket/key, https://bucket.host/key
enum class Hedging { kOff, kOn };
enum class Checksums { kOff, kOn };

struct S3Settings {
  std::string bucket;
  std::string prefix;  // of all keys, without a slash at its end; "": none
  std::string region = "us-east-1";
  bool tls = true;
  std::string host;  // of the endpoint, without the bucket
  std::uint16_t port = 443;
  S3Addressing addressing = S3Addressing::kVirtualHost;
  /// Off for a store that refuses their headers: what is put is then signed instead. On: found out at a refusal.
  Checksums checksums = Checksums::kOn;
  std::string ca_file;  // whose certificates are believed, PEM; "": as the surroundings say
  /// Nobody else writes under this prefix: whoever named the store says so, for one that ignores If-None-Match.
  bool single_writer = false;

  std::uint64_t single_put_bytes_max = 5ull << 30;   // S3's own limit; what is larger goes in parts
  std::uint64_t multipart_part_bytes = 64ull << 20;  // at least 5 MiB for S3; memory is not a matter, retries are
  /// One attempt may take this long and a second for each MiB it moves.
  std::chrono::milliseconds attempt_time_max{20'000};
  Hedging hedging = Hedging::kOn;
  std::uint32_t hedge_percent_max = 5;  // requests sent a second time, of all gets
  RequestLimiter::Options limits;
  CircuitBreaker::Options breaker;
};

/// What a URL may leave to its surroundings.
struct S3Defaults {
  std::string region;    // "": us-east-1
  std::string endpoint;  // "": Amazon's of the region
};

/// "s3://bucket/prefix?endpoint=URL&region=NAME&style=path|virtual&checksum=crc32c|none&ca=FILE&single_writer=1". An
/// endpoint
/// ("http://host:port"; https if it names no scheme) means path style unless the URL says otherwise; what the URL does
/// not name is that of `defaults`. Errors: kInvalidArgument; values are not repeated, for a user may have put a
/// secret there.
Result<S3Settings> ParseS3Url(std::string_view url, const S3Defaults& defaults = {});

}  // namespace millrace
