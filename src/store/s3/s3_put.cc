#include "store/s3/s3_put.h"

#include <fmt/format.h>

#include "base/crc32c.h"
#include "base/try.h"
#include "store/object_pieces.h"
#include "store/s3/digest.h"
#include "store/s3/s3_get.h"
#include "store/s3/s3_refusal.h"

namespace millrace {
namespace {

Error Taken(const S3Client& client, std::string_view key) {
  return {ErrorCode::kAlreadyExists, fmt::format("{}: there is already an object {}", client.place(), key)};
}

// A 409 says that something else was under way under this key: is there an object now?
Result<void> AfterConflict(S3Client& client, const S3Request& request, const HttpResponse& answer) {
  const auto head = S3GetHead(client, request.key);
  if (head) return Taken(client, request.key);
  if (head.error().code() != ErrorCode::kNotFound) return head.error();
  return client.BadAnswer(request, fmt::format("the store answered {}, and there is no object", answer.status));
}

}  // namespace

bool IsOutcomeUnknown(const Result<HttpResponse>& answer) {
  if (answer) return answer->status >= 500 && !IsThrottling(answer->status) && answer->status != 501;
  return answer.error().retryable();
}

Result<void> S3SettlePut(S3Client& client, std::string_view key, const S3PutMark& mark, PutMode mode,
                         const Error& unclear) {
  const auto head = S3GetHead(client, key);
  // If it is not there the put may still be on its way: repeating it under the same condition is safe.
  if (!head) return unclear;
  const bool same_size = head->size_bytes == mark.size_bytes;
  if (same_size && head->crc32c == mark.crc32c) return {};
  const bool another = !same_size || !head->crc32c.empty();
  if (another && mode == PutMode::kIfAbsent) return Taken(client, key);
  return unclear;
}

Result<void> S3PutWhole(S3Client& client, std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  std::uint32_t crc = 0;
  for (const SharedBytes& piece : pieces) crc = Crc32c(piece, crc);
  const S3PutMark mark{TotalBytes(pieces), CrcBase64(crc)};
  S3Request request{
      .method = HttpMethod::kPut, .kind = RequestKind::kPut, .key = key, .body = pieces, .body_bytes = mark.size_bytes};
  if (mode == PutMode::kIfAbsent) request.headers.push_back({"if-none-match", "*"});
  const auto answer = client.ExchangeChecked(request, {"x-amz-checksum-crc32c", mark.crc32c});
  if (IsOutcomeUnknown(answer)) {
    return S3SettlePut(client, key, mark, mode, answer ? client.ErrorOf(request, *answer) : answer.error());
  }
  if (!answer) return answer.error();
  if (answer->status == 409) return AfterConflict(client, request, *answer);
  if (answer->status / 100 != 2) return client.ErrorOf(request, *answer);
  const auto stored = answer->Header("x-amz-checksum-crc32c");
  if (stored && *stored != mark.crc32c) {
    return client.BadAnswer(request, fmt::format("the store computed CRC-32C {} of what was sent as {}",
                                                 stored->substr(0, 16), mark.crc32c));
  }
  return {};
}

}  // namespace millrace
