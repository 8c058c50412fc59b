// Reading one object of a bucket, and checking what came.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/s3/s3_client.h"

namespace millrace {

/// As ObjectStore::GetParts. A body of wrong length, range or checksum is kUnavailable, to be asked for again.
Result<std::vector<SharedBytes>> S3Get(S3Client& client, std::string_view key, std::uint64_t offset,
                                       std::span<const std::uint64_t> lengths, Urgency urgency);

struct S3Head {
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ms = 0;
  std::string crc32c;  // as the store tells it: of the whole object, or "…-N" of N parts; "": it tells none
};
/// Errors: kNotFound, and those of the client.
Result<S3Head> S3GetHead(S3Client& client, std::string_view key);

}  // namespace millrace
