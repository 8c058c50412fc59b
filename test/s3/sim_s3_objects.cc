#include "test/s3/sim_s3_objects.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <vector>

#include "base/crc32c.h"

namespace millrace {
namespace {

constexpr std::size_t kKeysPerPageMax = 1000;
constexpr std::size_t kKeyBytesMax = 1024;
constexpr std::string_view kXmlHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

std::tm UtcOf(std::int64_t ms) {
  const time_t seconds = ms / 1000;
  std::tm broken{};
  gmtime_r(&seconds, &broken);
  return broken;
}

std::string IsoTime(std::int64_t ms) {
  const std::tm utc = UtcOf(ms);
  char text[32];
  return {text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc)};
}

std::string HttpTime(std::int64_t ms) {
  const std::tm utc = UtcOf(ms);
  char text[40];
  return {text, strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

SimS3Reply Xml(const std::string& xml) {
  SimS3Reply reply;
  reply.SetHeader("content-type", "application/xml");
  reply.SetBody(SharedBytes::Copy(AsBytes(xml)));
  return reply;
}

SimS3Reply NoSuchKey() { return SimS3Refusal(404, "NoSuchKey", "The specified key does not exist."); }

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct Range {
  std::uint64_t begin = 0, end = 0;
};

/// "bytes=a-b", "bytes=a-", "bytes=-n" of an object of `size`; none: not satisfiable. What S3 does not understand it
/// ignores.
std::optional<Range> RangeOf(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  const std::string_view text = header.starts_with(kUnit) ? header.substr(kUnit.size()) : std::string_view();
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return Range{0, size};
  const auto first = Number(text.substr(0, dash)), last = Number(text.substr(dash + 1));
  if (!first && !last) return Range{0, size};
  if (!first) return *last == 0 || size == 0 ? std::nullopt : std::optional(Range{size - std::min(size, *last), size});
  if (*first >= size) return std::nullopt;
  return Range{*first, last && *last < size ? *last + 1 : size};
}

void Describe(const SimS3Object& object, SimS3Reply& reply) {
  reply.SetHeader("etag", object.etag);
  reply.SetHeader("last-modified", HttpTime(object.modified_ms));
  reply.SetHeader("accept-ranges", "bytes");
  reply.SetHeader("content-type", "application/octet-stream");
}

SimS3Reply GetOrHead(const SimS3Request& request, const SimS3Objects::Objects& objects) {
  const auto found = objects.find(request.key);
  const bool head = request.method == "HEAD";
  if (found == objects.end()) {
    SimS3Reply reply = NoSuchKey();
    if (head) reply.SetBody({});
    return reply;
  }
  const SimS3Object& object = found->second;
  const std::string_view wanted = request.Header("range");
  const std::uint64_t size = object.bytes.size();
  const auto range = wanted.empty() ? Range{0, size} : RangeOf(wanted, size);
  SimS3Reply reply;
  if (!range) {
    reply = SimS3Refusal(416, "InvalidRange", "The requested range is not satisfiable");
    reply.SetHeader("content-range", fmt::format("bytes */{}", size));
    return reply;
  }
  Describe(object, reply);
  if (!wanted.empty()) {
    reply.status = 206;
    reply.SetHeader("content-range", fmt::format("bytes {}-{}/{}", range->begin, range->end - 1, size));
  }
  const bool whole = range->begin == 0 && range->end == size;
  if (whole && request.Header("x-amz-checksum-mode") == "ENABLED") {
    reply.SetHeader("x-amz-checksum-crc32c", ChecksumHeader(object.crc));
    reply.SetHeader("x-amz-checksum-type", "FULL_OBJECT");
  }
  reply.SetBody(object.bytes.Slice(range->begin, range->end - range->begin));
  if (head) reply.body = {};
  return reply;
}

SimS3Object MakeObject(SharedBytes bytes, std::int64_t now_ms) {
  const std::uint32_t crc = Crc32c(bytes);
  return {bytes, crc, fmt::format("\"{:08x}{:024x}\"", crc, bytes.size()), now_ms};
}

/// None: what came is what was sent, as far as the request says.
std::optional<SimS3Reply> ChecksumRefusal(const SimS3Request& request) {
  const std::string_view said = request.Header("x-amz-checksum-crc32c");
  if (said.empty() || said == ChecksumHeader(Crc32c(request.body))) return std::nullopt;
  return SimS3Refusal(400, "BadDigest", "The CRC32C you specified did not match what we received.");
}

std::string Escaped(std::string_view key, bool url) {
  if (url) return UrlEncoded(key);
  std::string escaped;
  for (const char character : key) {
    if (character == '&')
      escaped += "&amp;";
    else if (character == '<')
      escaped += "&lt;";
    else if (character == '>')
      escaped += "&gt;";
    else
      escaped += character;
  }
  return escaped;
}

}  // namespace

SimS3Reply SimS3Refusal(int status, std::string_view code, std::string_view message) {
  SimS3Reply reply = Xml(fmt::format("{}<Error><Code>{}</Code><Message>{}</Message></Error>", kXmlHead, code, message));
  reply.status = status;
  return reply;
}

std::string_view HttpReason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 416:
      return "Requested Range Not Satisfiable";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Slow Down";
    default:
      return "Unknown";
  }
}

std::string ChecksumHeader(std::uint32_t crc) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  const std::uint64_t bits = static_cast<std::uint64_t>(crc) << 4;  // six digits of six bits
  for (int shift = 30; shift >= 0; shift -= 6) text += kDigits[(bits >> shift) & 63];
  return text + "==";
}

const SimS3Objects::Objects* SimS3Objects::Bucket(std::string_view name) const {
  const auto found = buckets_.find(name);
  return found == buckets_.end() ? nullptr : &found->second;
}

SimS3Objects::Objects* SimS3Objects::Bucket(std::string_view name) {
  const auto found = buckets_.find(name);
  return found == buckets_.end() ? nullptr : &found->second;
}

std::uint64_t SimS3Objects::bytes_stored() const {
  std::uint64_t total = 0;
  for (const auto& [name, objects] : buckets_) {
    for (const auto& [key, object] : objects) total += object.bytes.size();
  }
  return total;
}

SimS3Reply SimS3Objects::Answer(const SimS3Request& request, std::int64_t now_ms) {
  const S3Verb verb = request.Verb();
  if (verb == S3Verb::kBucket) return AnswerBucket(request);
  Objects* const objects = Bucket(request.bucket);
  if (objects == nullptr) {
    SimS3Reply reply = SimS3Refusal(404, "NoSuchBucket", "The specified bucket does not exist");
    if (request.method == "HEAD") reply.SetBody({});
    return reply;
  }
  if (request.key.size() > kKeyBytesMax) return SimS3Refusal(400, "KeyTooLongError", "Your key is too long.");
  switch (verb) {
    case S3Verb::kPut:
      return Put(request, *objects, now_ms);
    case S3Verb::kGet:
    case S3Verb::kHead:
      return GetOrHead(request, *objects);
    case S3Verb::kList:
      return List(request, *objects);
    case S3Verb::kDeleteMany:
      return DeleteMany(request, *objects);
    case S3Verb::kMultipart:
      return Multipart(request, *objects, now_ms);
    default:
      break;
  }
  objects->erase(request.key);
  return {.status = 204};
}

SimS3Reply SimS3Objects::AnswerBucket(const SimS3Request& request) {
  const bool there = Bucket(request.bucket) != nullptr;
  if (request.method == "PUT") {
    if (there) return SimS3Refusal(409, "BucketAlreadyOwnedByYou", "You own it already.");
    CreateBucket(request.bucket);
    return {};
  }
  if (request.method == "HEAD") return {.status = there ? 200 : 404};
  if (!there) return SimS3Refusal(404, "NoSuchBucket", "The specified bucket does not exist");
  if (request.method == "GET" && request.query.contains("location")) {
    return Xml(fmt::format("{}<LocationConstraint/>", kXmlHead));
  }
  return SimS3Refusal(405, "MethodNotAllowed", "Not in this simulation.");
}

bool SimS3Objects::Refuses(const SimS3Request& request, const Objects& objects) const {
  return request.Header("if-none-match") == "*" && put_if_absent_ == PutIfAbsent::kKept &&
         objects.contains(request.key);
}

SimS3Reply SimS3Objects::Put(const SimS3Request& request, Objects& objects, std::int64_t now_ms) {
  if (auto refusal = ChecksumRefusal(request)) return *std::move(refusal);
  if (Refuses(request, objects)) return SimS3Refusal(412, "PreconditionFailed", "The key is taken.");
  const SimS3Object& object = objects.insert_or_assign(request.key, MakeObject(request.body, now_ms)).first->second;
  SimS3Reply reply;
  reply.SetHeader("etag", object.etag);
  reply.SetHeader("x-amz-checksum-crc32c", ChecksumHeader(object.crc));
  return reply;
}

SimS3Reply SimS3Objects::List(const SimS3Request& request, const Objects& objects) {
  const std::string_view prefix = request.Query("prefix").value_or("");
  const std::string_view after =
      request.Query("continuation-token").value_or(request.Query("start-after").value_or(""));
  const std::size_t max = std::min(Number(request.Query("max-keys").value_or("1000")).value_or(0), kKeysPerPageMax);
  const bool url = request.Query("encoding-type") == "url";
  // Whichever begins later: the prefix, or what was shown before.
  auto at = after < prefix ? objects.lower_bound(prefix) : objects.upper_bound(after);
  std::string contents;
  std::string_view last;
  std::size_t count = 0;
  for (; at != objects.end() && at->first.starts_with(prefix) && count < max; ++at, ++count) {
    last = at->first;
    contents += fmt::format(
        "<Contents><Key>{}</Key><LastModified>{}.000Z</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>",
        Escaped(last, url), IsoTime(at->second.modified_ms),
        std::string_view(at->second.etag).substr(1, at->second.etag.size() - 2), at->second.bytes.size());
  }
  const bool more = count > 0 && at != objects.end() && at->first.starts_with(prefix);
  return Xml(fmt::format(
      "{}<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name>"
      "<Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{}</MaxKeys><IsTruncated>{}</IsTruncated>"
      "{}{}</ListBucketResult>",
      kXmlHead, request.bucket, Escaped(prefix, url), count, max, more,
      more ? fmt::format("<NextContinuationToken>{}</NextContinuationToken>", Escaped(last, false)) : "", contents));
}

SimS3Reply SimS3Objects::DeleteMany(const SimS3Request& request, Objects& objects) {
  const std::string_view xml = AsText(request.body);
  std::string deleted;
  for (std::size_t at = 0; const auto key = NextElement(xml, "Key", &at);) {
    if (const auto found = objects.find(*key); found != objects.end()) objects.erase(found);
    deleted += fmt::format("<Deleted><Key>{}</Key></Deleted>", *key);
  }
  const bool quiet = xml.contains("<Quiet>true</Quiet>");
  return Xml(fmt::format("{}<DeleteResult>{}</DeleteResult>", kXmlHead, quiet ? "" : deleted));
}

SimS3Reply SimS3Objects::Multipart(const SimS3Request& request, Objects& objects, std::int64_t now_ms) {
  if (request.method == "POST" && request.query.contains("uploads")) {
    const std::string id = fmt::format("upload-{}", ++uploads_begun_);
    uploads_.emplace(id, Upload{request.bucket, request.key, {}});
    return Xml(
        fmt::format("{}<InitiateMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><UploadId>{}</UploadId>"
                    "</InitiateMultipartUploadResult>",
                    kXmlHead, request.bucket, Escaped(request.key, false), id));
  }
  const std::string_view id = request.Query("uploadId").value_or("");
  const auto found = uploads_.find(id);
  if (found == uploads_.end() || found->second.key != request.key) {
    return SimS3Refusal(404, "NoSuchUpload", "The specified upload does not exist.");
  }
  if (request.method == "DELETE") {
    uploads_.erase(found);
    return {.status = 204};
  }
  if (request.method == "POST") return Complete(request, id, objects, now_ms);
  const auto number = Number(request.Query("partNumber").value_or(""));
  if (request.method != "PUT" || !number || *number < 1 || *number > 10'000) {
    return SimS3Refusal(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
  }
  if (auto refusal = ChecksumRefusal(request)) return *std::move(refusal);
  SimS3Object part = MakeObject(request.body, now_ms);
  SimS3Reply reply;
  reply.SetHeader("etag", part.etag);
  reply.SetHeader("x-amz-checksum-crc32c", ChecksumHeader(part.crc));
  found->second.parts.insert_or_assign(static_cast<int>(*number), std::move(part));
  return reply;
}

SimS3Reply SimS3Objects::Complete(const SimS3Request& request, std::string_view id, Objects& objects,
                                  std::int64_t now_ms) {
  constexpr std::uint64_t kPartBytesMin = 5 << 20;
  const Upload& upload = uploads_.find(id)->second;
  std::vector<SharedBytes> pieces;
  std::uint64_t total = 0, last_number = 0;
  for (std::size_t at = 0; const auto part = NextElement(AsText(request.body), "Part", &at);) {
    std::size_t in_part = 0;
    const auto number = Number(NextElement(*part, "PartNumber", &in_part).value_or(""));
    const auto known = upload.parts.find(number ? static_cast<int>(*number) : 0);
    if (known == upload.parts.end()) return SimS3Refusal(400, "InvalidPart", "One or more parts could not be found.");
    if (*number <= last_number) return SimS3Refusal(400, "InvalidPartOrder", "Parts must be in ascending order.");
    if (!pieces.empty() && pieces.back().size() < kPartBytesMin) {
      return SimS3Refusal(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size");
    }
    last_number = *number;
    pieces.push_back(known->second.bytes);
    total += pieces.back().size();
  }
  if (pieces.empty()) return SimS3Refusal(400, "MalformedXML", "You must specify at least one part");
  if (Refuses(request, objects)) return SimS3Refusal(412, "PreconditionFailed", "The key is taken.");
  Buffer whole(total);
  std::span<std::byte> rest = whole.bytes();
  for (const SharedBytes& piece : pieces) {
    std::ranges::copy(piece.bytes(), rest.begin());
    rest = rest.subspan(piece.size());
  }
  SimS3Object object = MakeObject(std::move(whole).Freeze(), now_ms);
  object.etag.insert(object.etag.size() - 1, fmt::format("-{}", pieces.size()));
  SimS3Reply reply =
      Xml(fmt::format("{}<CompleteMultipartUploadResult><Key>{}</Key><ETag>{}</ETag>"
                      "</CompleteMultipartUploadResult>",
                      kXmlHead, Escaped(request.key, false), object.etag));
  objects.insert_or_assign(request.key, std::move(object));
  uploads_.erase(uploads_.find(id));
  return reply;
}

}  // namespace millrace
