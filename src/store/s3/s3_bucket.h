// What a bucket's owner has set on it that reaches into a log's prefix. Asked by who examines a store, never by who
// uses one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/s3/s3_reply.h"

namespace millrace {

class S3Client;

/// Each: none where it was not told, as without the right to ask, or by a store that does not know the question.
struct S3BucketRules {
  std::optional<bool> versioned;  // what is deleted or overwritten is kept
  std::optional<bool> locked;     // object lock: deletions may be refused for a time
  /// Lifecycle rules that delete objects under the store's prefix, by name.
  std::optional<std::vector<std::string>> expiring;
  std::optional<S3Encryption> encryption;
};

/// Four small requests, which are not repeated.
S3BucketRules AskBucketRules(S3Client& client);

}  // namespace millrace
