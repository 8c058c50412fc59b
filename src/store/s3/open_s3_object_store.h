// The whole of an S3 store, from a URL: client, credentials, transport.
#pragma once

#include <memory>
#include <string_view>

#include "http/http_transport.h"
#include "millrace/clock.h"
#include "store/s3/aws_surroundings.h"
#include "store/s3/s3_object_store.h"

namespace millrace {

/// Makes one attempt of each request; RetryingObjectStore above it repeats. No request yet: credentials are looked for
/// at the first one. `clock` outlives it. `transport`: null for libcurl. Errors: those of ParseS3Url.
Result<std::shared_ptr<S3ObjectStore>> OpenS3ObjectStore(
    std::string_view url, const Clock& clock, const AwsSurroundings& surroundings = AwsSurroundings::OfProcess(),
    std::shared_ptr<HttpTransport> transport = nullptr);

}  // namespace millrace
