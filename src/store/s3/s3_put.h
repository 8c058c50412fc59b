// Writing one object of a bucket, and finding out what became of a put that got no answer.
#pragma once

#include <span>
#include <string_view>

#include "millrace/object_store.h"
#include "store/s3/s3_client.h"

namespace millrace {

/// One PUT with the CRC-32C of its body. If its outcome is unknown (rule 9 of the reliability page), the object is
/// asked for: the same length and checksum are success, another object under kIfAbsent is kAlreadyExists, and what
/// cannot be told stays the error it was, to be repeated.
Result<void> S3PutWhole(S3Client& client, std::string_view key, std::span<const SharedBytes> pieces, PutMode mode);

/// In parts of `multipart_part_bytes`, one after the other; what fails is aborted, so that no parts are paid for. The
/// object appears whole or not at all. Cost: ceil(bytes / part) + 2 requests.
Result<void> S3PutInParts(S3Client& client, std::string_view key, std::span<const SharedBytes> pieces, PutMode mode);

/// How a put that got no clear answer is settled.
struct S3PutMark {
  std::uint64_t size_bytes = 0;
  std::string crc32c;  // as the store would tell it
};
Result<void> S3SettlePut(S3Client& client, std::string_view key, const S3PutMark& mark, PutMode mode,
                         const Error& unclear);

/// Whether an answer leaves open what the store did.
[[nodiscard]] bool IsOutcomeUnknown(const Result<HttpResponse>& answer);

}  // namespace millrace
