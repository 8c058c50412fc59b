// What S3 writes in the bodies of its answers. Bytes from the network: bounded before they are parsed, believed only as
// far as they make sense.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/object_store.h"
#include "millrace/result.h"

namespace millrace {

inline constexpr std::uint64_t kS3ReplyBytesMax = 4 << 20;  // a page of 1,000 keys takes about half of it at most

/// Why S3 refused. Members are "" where the body does not tell, or is not XML at all.
struct S3Refusal {
  std::string code;     // "SlowDown"
  std::string message;  // printable ASCII, at most 300 bytes
  std::string region, endpoint;
};
[[nodiscard]] S3Refusal ParseS3Refusal(std::string_view body);

struct S3Listing {
  std::vector<ObjectDescription> objects;  // keys as the bucket has them
  std::string next;                        // "": the last page
};
/// Errors of this and the next: kUnavailable (not whole or not what it should be; asking again may help).
Result<S3Listing> ParseS3Listing(std::string_view body);

/// The keys that a batch could not delete, with the code why; empty: all gone.
struct S3Undeleted {
  std::string key, code;
};
Result<std::vector<S3Undeleted>> ParseS3Deletion(std::string_view body);

Result<std::string> ParseS3UploadId(std::string_view body);
/// The end of a multipart upload can fail after its status said 200.
Result<void> ParseS3Completion(std::string_view body);

// What is set on a bucket. Whether old versions are kept; whether object lock is on.
Result<bool> ParseS3Versioning(std::string_view body);
Result<bool> ParseS3ObjectLock(std::string_view body);
/// A lifecycle rule that is on and deletes objects by their age alone.
struct S3ExpiryRule {
  std::string name;    // printable; "a rule without a name"
  std::string prefix;  // of the keys it deletes
};
Result<std::vector<S3ExpiryRule>> ParseS3Lifecycle(std::string_view body);
/// What encrypts objects whose PUT says nothing of it.
struct S3Encryption {
  std::string algorithm;    // "AES256", "aws:kms", "aws:kms:dsse"; printable, "" if nothing is set
  bool bucket_key = false;  // one call of KMS for many objects
};
Result<S3Encryption> ParseS3Encryption(std::string_view body);

/// AssumeRoleWithWebIdentity.
struct StsReply {
  std::string access_key_id, secret_access_key, session_token;
  std::int64_t expires_ms = 0;
};
Result<StsReply> ParseStsReply(std::string_view body);

/// The same text with < > & " ' written so that XML may hold it.
[[nodiscard]] std::string XmlText(std::string_view text);

}  // namespace millrace
