#include "store/s3/s3_object_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "http/http_time.h"
#include "store/object_key.h"
#include "store/object_pieces.h"
#include "store/s3/digest.h"
#include "store/s3/s3_get.h"
#include "store/s3/s3_put.h"
#include "store/s3/s3_reply.h"

namespace millrace {
namespace {

constexpr std::size_t kListMax = 1000;  // S3's own limits
constexpr std::size_t kDeleteMax = 1000;

std::string_view BodyText(const HttpResponse& response) {
  return response.parts.empty() ? std::string_view() : AsText(response.parts.front());
}

}  // namespace

Result<void> S3ObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  MR_TRY(CheckObjectKey(key));
  const std::uint64_t bytes = TotalBytes(pieces);
  if (bytes > client_.settings().single_put_bytes_max) return S3PutInParts(client_, key, pieces, mode);
  return S3PutWhole(client_, key, pieces, mode);
}

Result<SharedBytes> S3ObjectStore::Get(std::string_view key, ByteRange range) {
  MR_ASSIGN_OR_RETURN(std::vector<SharedBytes> parts, GetParts(key, range.offset, std::span(&range.length, 1)));
  return std::move(parts.front());
}

Result<std::vector<SharedBytes>> S3ObjectStore::GetParts(std::string_view key, std::uint64_t offset,
                                                         std::span<const std::uint64_t> lengths) {
  MR_TRY(CheckObjectKey(key));
  return S3Get(client_, key, offset, lengths, Urgency::kForeground);
}

Result<std::vector<SharedBytes>> S3ObjectStore::PrefetchParts(std::string_view key, std::uint64_t offset,
                                                              std::span<const std::uint64_t> lengths) {
  MR_TRY(CheckObjectKey(key));
  return S3Get(client_, key, offset, lengths, Urgency::kBackground);
}

Result<ObjectDescription> S3ObjectStore::Head(std::string_view key) {
  MR_TRY(CheckObjectKey(key));
  MR_ASSIGN_OR_RETURN(const S3Head head, S3GetHead(client_, key));
  return ObjectDescription{std::string(key), head.size_bytes, head.modified_ms};
}

Result<ObjectPage> S3ObjectStore::List(std::string_view prefix, std::string_view continuation, std::size_t max) {
  if (max == 0) return Error(ErrorCode::kInvalidArgument, "a page of a listing holds at least one key");
  S3Request request{.kind = RequestKind::kList, .unsized_bytes_max = kS3ReplyBytesMax};
  const std::string whole_prefix = client_.FullKey(prefix);
  request.query = {{"list-type", "2"}, {"max-keys", std::to_string(std::min(max, kListMax))}, {"prefix", whole_prefix}};
  if (!continuation.empty()) request.query.emplace_back("continuation-token", continuation);
  MR_ASSIGN_OR_RETURN(const HttpResponse answer, client_.Exchange(request));
  if (answer.status != 200) return client_.ErrorOf(request, answer);
  if (answer.overlong) return client_.BadAnswer(request, "the listing is too large");
  auto listing = ParseS3Listing(BodyText(answer));
  if (!listing) return listing.error().WithContext(client_.place());
  if (listing->objects.size() > max)
    return client_.BadAnswer(request, "the listing holds more keys than were asked for");
  ObjectPage page;
  page.next = std::move(listing->next);
  const std::string before = client_.FullKey("");
  for (ObjectDescription& object : listing->objects) {
    if (!object.key.starts_with(whole_prefix))
      return client_.BadAnswer(request, "the listing holds keys not asked for");
    object.key.erase(0, before.size());
    // What others put there under names that are none of ours does not concern us.
    if (CheckObjectKey(object.key)) page.objects.push_back(std::move(object));
  }
  return page;
}

Result<void> S3ObjectStore::Delete(std::string_view key) {
  MR_TRY(CheckObjectKey(key));
  S3Request request{.method = HttpMethod::kDelete, .kind = RequestKind::kDelete, .key = key};
  MR_ASSIGN_OR_RETURN(const HttpResponse answer, client_.Exchange(request));
  if (answer.status / 100 == 2) return {};
  if (answer.status == 404 && ParseS3Refusal(BodyText(answer)).code != "NoSuchBucket") return {};
  return client_.ErrorOf(request, answer);
}

Result<void> S3ObjectStore::DeleteMany(std::span<const std::string> keys) {
  for (const std::string& key : keys) MR_TRY(CheckObjectKey(key));
  while (!keys.empty()) {
    const std::size_t now = std::min(keys.size(), kDeleteMax);
    MR_TRY(now == 1 ? Delete(keys.front()) : DeleteBatch(keys.first(now)));
    keys = keys.subspan(now);
  }
  return {};
}

Result<void> S3ObjectStore::DeleteBatch(std::span<const std::string> keys) {
  std::string text = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>";
  for (const std::string& key : keys) text += fmt::format("<Object><Key>{}</Key></Object>", client_.FullKey(key));
  text += "</Delete>";
  S3Request request{.method = HttpMethod::kPost, .kind = RequestKind::kDelete, .query = {{"delete", ""}}};
  request.headers = {{"content-type", "application/xml"}};
  if (const std::string md5 = Md5Base64(text); !md5.empty()) request.headers.push_back({"content-md5", md5});
  const SharedBytes body = SharedBytes::Copy(AsBytes(text));
  request.body = std::span(&body, 1);
  request.unsized_bytes_max = kS3ReplyBytesMax;
  MR_ASSIGN_OR_RETURN(const HttpResponse answer, client_.Exchange(request));
  if (answer.status == 501 || answer.status == 405) return ObjectStore::DeleteMany(keys);
  if (answer.status != 200) return client_.ErrorOf(request, answer);
  if (answer.overlong) return client_.BadAnswer(request, "the answer to a batch of deletes is too large");
  MR_ASSIGN_OR_RETURN(const std::vector<S3Undeleted> left, ParseS3Deletion(BodyText(answer)));
  for (const S3Undeleted& one : left) {
    if (one.code == "NoSuchKey") continue;
    return client_.BadAnswer(request, fmt::format("{} could not be deleted: {}", one.key, one.code));
  }
  return {};
}

}  // namespace millrace
