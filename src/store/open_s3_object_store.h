// The whole of an S3 store, from a URL: client, credentials, transport, and retries over it.
#pragma once

#include <memory>
#include <string_view>

#include "millrace/clock.h"
#include "millrace/object_store.h"
#include "store/aws_surroundings.h"
#include "store/http_transport.h"
#include "store/retrying_object_store.h"
#include "store/s3_object_store.h"

namespace millrace {

struct S3Stack {
  std::shared_ptr<ObjectStore> store;     // retrying: what one uses
  std::shared_ptr<S3ObjectStore> single;  // the same with one attempt each, and its counts
  std::shared_ptr<RetryingObjectStore> retrying;
};

/// No I/O: credentials are looked for at the first request. `clock` outlives it. `transport`: null for libcurl.
/// Errors: those of ParseS3Url.
Result<S3Stack> OpenS3ObjectStore(std::string_view url, const Clock& clock,
                                  const AwsSurroundings& surroundings = AwsSurroundings::OfProcess(),
                                  std::shared_ptr<HttpTransport> transport = nullptr);

}  // namespace millrace
