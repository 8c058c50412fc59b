// Signature Version 4: how a request proves who sends it.
//
//   canonical request = method, path, sorted query, sorted headers, hash of the payload
//   string to sign    = algorithm, time, day/region/service/aws4_request, SHA-256(canonical request)
//   key               = HMAC chain over secret, day, region, service, "aws4_request"
//   signature         = hex(HMAC(key, string to sign)), in the header authorization or in the query
//
// Source: AWS documentation "Signature Version 4". S3 differs from other services: the path is encoded once and not
// normalised, and x-amz-content-sha256 is always sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/http_transport.h"
#include "store/s3/aws_credentials.h"

namespace millrace {

/// What the signature says of the body.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

enum class PathNormalisation { kNone, kDotSegments };  // S3: kNone
enum class PathEncoding { kOnce, kTwice };             // S3: kOnce

struct SigningScope {
  std::string region;
  std::string service = "s3";
  PathNormalisation normalisation = PathNormalisation::kNone;
  PathEncoding encoding = PathEncoding::kOnce;
};

/// Safe from any thread; no I/O.
class SigV4 {
 public:
  explicit SigV4(SigningScope scope) : scope_(std::move(scope)) {}

  /// Adds x-amz-date, x-amz-security-token (with a session) and authorization to `request`, whose path is encoded once
  /// and whose headers, `host` among them, are complete otherwise. All headers are signed. `payload_hash`: hex SHA-256
  /// of the body or kUnsignedPayload; for S3 also a header x-amz-content-sha256, which the caller adds.
  void Sign(HttpRequest& request, const AwsCredentials& credentials, std::int64_t wall_ms,
            std::string_view payload_hash) const;

 private:
  struct Canonical;
  [[nodiscard]] Canonical Canonicalize(const HttpRequest& request, std::string_view payload_hash) const;
  [[nodiscard]] std::string Scope(std::string_view time) const;
  [[nodiscard]] std::string Signature(const Canonical& canonical, const AwsCredentials& credentials,
                                      std::string_view time) const;

  const SigningScope scope_;
};

}  // namespace millrace
