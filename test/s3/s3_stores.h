// S3ObjectStore over each S3 of the tests: the simulated one in virtual time and over HTTP, and whatever endpoint a
// harness has started.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/http_transport.h"
#include "millrace/clock.h"
#include "store/s3/s3_object_store.h"

namespace millrace {

inline constexpr std::string_view kTestBucket = "millrace";

struct S3Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9000;
  std::string access_key_id = "millrace-test", secret_access_key = "millrace-test-secret";
};

/// Objects of `kTestBucket` below `prefix` ("": no prefix), by path and without TLS. `clock` outlives the store.
std::shared_ptr<S3ObjectStore> OpenS3(const S3Endpoint& endpoint, std::string_view prefix,
                                      std::shared_ptr<HttpTransport> transport, const Clock& clock);

}  // namespace millrace
