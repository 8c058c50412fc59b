// From a status and the body beside it to an Error that says what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/http_transport.h"
#include "millrace/result.h"

namespace millrace {

/// What was asked, for the message.
struct S3Asked {
  std::string store;  // "s3://bucket/prefix"
  std::string what;   // "get a/b.obj"
  std::string key;    // "" for the bucket
  std::string region;
  std::int64_t wall_ms = 0;  // our clock, when the answer came
};

/// The statuses by which a store asks for less.
[[nodiscard]] constexpr bool IsThrottling(int status) { return status == 503 || status == 429; }

/// The store may not know a header of the request, or not want it.
[[nodiscard]] bool MayRefuseHeaders(const HttpResponse& response);

/// The credentials of the request are too old; with new ones it may do.
[[nodiscard]] bool IsExpiredCredentials(const HttpResponse& response);

/// Precondition: `response` is no 2xx.
/// 404 kNotFound, 412 and 409 kAlreadyExists, 416 kOutOfRange, 408, 429 and 5xx kUnavailable or kTimeout to be retried,
/// 403 by a wrong clock kUnavailable with both clocks, credentials that expired kUnavailable to be retried, any other
/// 403 or 401 kPermissionDenied, redirects and a wrong region kInvalidArgument with the right one, but a 307 without a
/// region kUnavailable to be retried; no such bucket and any other kInvalidArgument: a bucket that is not there says
/// nothing of what was in it.
[[nodiscard]] Error S3Error(const S3Asked& asked, const HttpResponse& response);

}  // namespace millrace
