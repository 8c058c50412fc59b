// Any bytes as what an S3 server answers: refused, or a reply whose parts make sense. Memory stays in proportion to
// what was received. The first byte chooses the reply that is read; for a whole answer the rest is cut into a status, a
// length that may lie, and a body.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "allocation_meter.h"
#include "base/check.h"
#include "env/sim/sim_clock.h"
#include "http/content_range.h"
#include "http/http_body.h"
#include "http/http_time.h"
#include "http/uri_encoding.h"
#include "millrace/bytes.h"
#include "store/object_key.h"
#include "store/s3/s3_object_store.h"
#include "store/s3/s3_refusal.h"
#include "store/s3/s3_reply.h"
#include "store/s3/s3_settings.h"

namespace millrace {
namespace {

// A tag of three bytes becomes a node of some seventy; pages of the tree's allocator come on top.
constexpr std::size_t kTreeFactor = 48, kTreeBytes = 256 << 10;

/// Answers everything with the same bytes, cut as a server could.
class OneAnswer final : public HttpTransport {
 public:
  explicit OneAnswer(std::span<const std::byte> input) : input_(input) {}
  Result<HttpResponse> Send(const HttpRequest& request) override {
    std::span<const std::byte> rest = input_;
    const auto take = [&rest] {
      const auto value = rest.empty() ? 0 : std::to_integer<unsigned>(rest.front());
      rest = rest.subspan(rest.empty() ? 0 : 1);
      return value;
    };
    constexpr int kStatuses[] = {200, 206, 204, 301, 307, 400, 403, 404, 408, 409, 412, 416, 429, 500, 501, 503};
    HttpResponse response;
    response.status = kStatuses[take() % std::size(kStatuses)];
    const std::size_t text = std::min<std::size_t>(take(), rest.size());
    const std::string header(AsText(rest.first(text)));
    rest = rest.subspan(text);
    for (const char* name :
         {"content-range", "content-length", "x-amz-checksum-crc32c", "last-modified", "date", "etag"}) {
      if ((take() & 1) == 0) response.headers.push_back({name, header});
    }
    const std::uint64_t stated = std::uint64_t{take()} << take() % 64;
    HttpBody body(request, response.status, stated);
    if (request.method != HttpMethod::kHead) (void)body.Take(rest);
    body.Finish(response);
    return response;
  }
  Result<HttpResponse> Race(const HttpRequest& request, const HedgePlan&) override { return Send(request); }

 private:
  const std::span<const std::byte> input_;
};

void AskEverything(std::span<const std::byte> input) {
  const SimClock clock;
  S3Settings settings = *ParseS3Url("s3://bucket/p?endpoint=http://h");
  settings.single_put_bytes_max = 4;
  settings.multipart_part_bytes = 4;
  S3ObjectStore store(settings, std::make_shared<OneAnswer>(input),
                      std::make_shared<FixedAwsCredentials>(AwsCredentials{"id", Secret("key"), Secret(), {}}), clock);
  const std::uint64_t lengths[] = {3, 0, 1 << 16};
  const auto parts = store.GetParts("k", 2, lengths);
  MR_CHECK(!parts || (parts->size() == 3 && (*parts)[0].size() <= 3 && (*parts)[1].empty()));
  if (const auto page = store.List("a", "", 5)) {
    MR_CHECK(page->objects.size() <= 5);
    for (const ObjectDescription& object : page->objects) {
      MR_CHECK(object.key.starts_with("a") && CheckObjectKey(object.key));
    }
  }
  (void)store.Head("k");
  (void)store.Delete("k");
  const std::string keys[] = {"a", "b"};
  (void)store.DeleteMany(keys);
  const SharedBytes body = SharedBytes::Copy(AsBytes("0123456789"));
  for (const SharedBytes& one : {body, body.Slice(0, 3)}) {
    (void)store.Put("k", std::span(&one, 1), PutMode::kIfAbsent);
  }
}

void ParseOne(unsigned which, std::string_view text) {
  const AllocationMeter meter;
  switch (which % 8) {
    case 0:
      (void)ParseS3Listing(text);
      break;
    case 1:
      (void)ParseS3Deletion(text);
      break;
    case 2:
      (void)ParseS3UploadId(text);
      break;
    case 3:
      (void)ParseS3Completion(text);
      (void)ParseS3Lifecycle(text);
      (void)ParseS3Encryption(text);
      break;
    case 4:
      (void)ParseStsReply(text);
      break;
    case 5: {
      const S3Refusal refusal = ParseS3Refusal(text);
      MR_CHECK(refusal.code.size() <= 300 && refusal.message.size() <= 300);
      break;
    }
    case 6:
      if (const auto range = ParseContentRange(text)) MR_CHECK(range->first <= range->last);
      (void)ParseHttpTime(text);
      (void)ParseIsoTime(text);
      (void)ParseCount(text);
      break;
    default:
      (void)ParseS3Url(text);
      if (const auto query = ParseQuery(text)) MR_CHECK(ParseQuery(FormatQuery(*query)).has_value());
  }
  meter.ExpectPeakWithin(AllocationBound(text.size()) + kTreeFactor * text.size() + kTreeBytes);
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::byte> rest = std::as_bytes(std::span(bytes, size)).subspan(1);
  if (bytes[0] % 9 == 8) {
    millrace::AskEverything(rest);
  } else {
    millrace::ParseOne(bytes[0] % 9, millrace::AsText(rest));
  }
  return 0;
}
