#include "store/s3/s3_get.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/crc32c.h"
#include "base/try.h"
#include "http/content_range.h"
#include "http/http_time.h"
#include "store/object_pieces.h"
#include "store/s3/digest.h"
#include "store/s3/s3_reply.h"

namespace millrace {
namespace {

constexpr std::string_view kCrcHeader = "x-amz-checksum-crc32c";
// Servers keep sizes in 64 bits with a sign; past them is past every object.
constexpr std::uint64_t kOffsetMax = INT64_MAX;

HttpHeader AskForChecksum() { return {"x-amz-checksum-mode", "ENABLED"}; }

// Of a body: where in which object it lies. Filled from content-range, or from a 200 with the whole object.
struct Extent {
  std::uint64_t first = 0, end = 0;
  std::optional<std::uint64_t> total;
  [[nodiscard]] bool whole() const { return first == 0 && total == end; }
};

std::uint64_t Sum(std::span<const std::uint64_t> lengths) {
  std::uint64_t sum = 0;
  for (const std::uint64_t length : lengths) sum = length > UINT64_MAX - sum ? UINT64_MAX : sum + length;
  return sum;
}

// The answer's extent, if it is the one asked for: [offset, offset + wanted) cut at the object's end.
Result<Extent> CheckedExtent(S3Client& client, const S3Request& request, const HttpResponse& answer,
                             std::uint64_t offset, std::uint64_t wanted) {
  if (answer.status == 200) {
    // The range was ignored, which does no harm if it was all of the object.
    if (offset != 0 || answer.overlong) return client.BadAnswer(request, "the store ignored the range");
    return Extent{0, answer.body_bytes, answer.body_bytes};
  }
  const auto range = ParseContentRange(answer.Header("content-range").value_or(""));
  if (!range) return client.BadAnswer(request, "the answer does not say which range it is");
  const std::uint64_t length = range->last - range->first + 1;
  const bool cut = range->total && range->last + 1 == *range->total;
  if (range->first != offset || length > wanted || (length < wanted && !cut)) {
    return client.BadAnswer(request, fmt::format("asked for {} bytes from {} on, the answer is [{}, {}]", wanted,
                                                 offset, range->first, range->last));
  }
  if (answer.overlong || answer.body_bytes != length) {
    return client.BadAnswer(request, fmt::format("the body has {}{} bytes instead of {}",
                                                 answer.overlong ? "more than " : "", answer.body_bytes, length));
  }
  return Extent{range->first, range->last + 1, range->total};
}

Result<void> CheckChecksum(S3Client& client, const S3Request& request, const HttpResponse& answer,
                           const Extent& extent) {
  const auto told = answer.Header(kCrcHeader);
  // One with a dash is a checksum of checksums of parts.
  if (!told || !extent.whole() || told->find('-') != std::string_view::npos) return {};
  if (answer.Header("x-amz-checksum-type").value_or("") == "COMPOSITE") return {};
  std::uint32_t crc = 0;
  for (const SharedBytes& part : answer.parts) crc = Crc32c(part, crc);
  if (CrcBase64(crc) == *told) return {};
  return client.BadAnswer(
      request, fmt::format("the body's CRC-32C is {}, the store says {}", CrcBase64(crc), told->substr(0, 16)));
}

// Nothing came, or nothing was asked for: is there such an offset at all?
Result<std::vector<SharedBytes>> Nothing(S3Client& client, std::string_view key, std::uint64_t offset,
                                         std::uint64_t wanted, std::size_t parts) {
  MR_ASSIGN_OR_RETURN(const S3Head head, S3GetHead(client, key));
  MR_ASSIGN_OR_RETURN(const std::uint64_t length, LengthWithin({offset, wanted}, head.size_bytes, key));
  if (length == 0) return std::vector<SharedBytes>(parts);
  return Error(ErrorCode::kUnavailable,
               fmt::format("{}: GET {}: an empty body instead of {} bytes", client.place(), key, length));
}

}  // namespace

Result<std::vector<SharedBytes>> S3Get(S3Client& client, std::string_view key, std::uint64_t offset,
                                       std::span<const std::uint64_t> lengths, Urgency urgency) {
  const std::uint64_t wanted = Sum(lengths);
  if (wanted == 0 || offset >= kOffsetMax) return Nothing(client, key, offset, wanted, lengths.size());
  const std::uint64_t length = std::min(wanted, kOffsetMax - offset);
  S3Request request{.kind = RequestKind::kGet,
                    .urgency = urgency,
                    .key = key,
                    .part_lengths = lengths,
                    .body_bytes = length,
                    .hedging = Hedging::kOn};
  request.headers = {{"range", wanted == length ? fmt::format("bytes={}-{}", offset, offset + length - 1)
                                                : fmt::format("bytes={}-", offset)}};
  MR_ASSIGN_OR_RETURN(HttpResponse answer, client.ExchangeChecked(request, AskForChecksum()));
  if (answer.status != 200 && answer.status != 206) {
    if (answer.status / 100 != 2) return client.ErrorOf(request, answer);
    return client.BadAnswer(request, fmt::format("the store answered {}", answer.status));
  }
  if (answer.body_bytes == 0) return Nothing(client, key, offset, wanted, lengths.size());
  MR_ASSIGN_OR_RETURN(const Extent extent, CheckedExtent(client, request, answer, offset, length));
  MR_TRY(CheckChecksum(client, request, answer, extent));
  return std::move(answer.parts);
}

Result<S3Head> S3GetHead(S3Client& client, std::string_view key) {
  const S3Request request{.method = HttpMethod::kHead, .kind = RequestKind::kGet, .key = key};
  MR_ASSIGN_OR_RETURN(const HttpResponse answer, client.ExchangeChecked(request, AskForChecksum()));
  if (answer.status != 200) {
    if (answer.status / 100 != 2) return client.ErrorOf(request, answer);
    return client.BadAnswer(request, fmt::format("the store answered {}", answer.status));
  }
  const auto size = ParseCount(answer.Header("content-length").value_or(""));
  if (!size) return client.BadAnswer(request, "the answer does not tell the object's size");
  return S3Head{*size, ParseHttpTime(answer.Header("last-modified").value_or("")).value_or(0),
                std::string(answer.Header(kCrcHeader).value_or("").substr(0, 32))};
}

}  // namespace millrace
