#include "store/s3/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/hex.h"
#include "http/http_time.h"
#include "http/uri_encoding.h"
#include "store/s3/digest.h"

namespace millrace {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// Spaces around go, runs of them within become one.
std::string TrimmedValue(std::string_view value) {
  std::string trimmed;
  for (const char c : value) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!space) {
      trimmed += c;
    } else if (!trimmed.empty() && trimmed.back() != ' ') {
      trimmed += ' ';
    }
  }
  if (!trimmed.empty() && trimmed.back() == ' ') trimmed.pop_back();
  return trimmed;
}

// RFC 3986 section 5.2.4, and doubled slashes as one.
std::string WithoutDotSegments(std::string_view path) {
  std::vector<std::string_view> kept;
  const bool folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), segment.size() + 1));
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string normal;
  for (const std::string_view segment : kept) normal.append("/").append(segment);
  if (folder || normal.empty()) normal += '/';
  return normal;
}

std::string_view PathOf(const HttpRequest& request) {
  return std::string_view(request.target).substr(0, request.target.find('?'));
}

std::string_view QueryOf(const HttpRequest& request) {
  const std::size_t mark = request.target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(request.target).substr(mark + 1);
}

}  // namespace

struct SigV4::Canonical {
  std::string text;
  std::string signed_headers;
};

SigV4::Canonical SigV4::Canonicalize(const HttpRequest& request, std::string_view payload_hash) const {
  std::string path(PathOf(request));
  if (scope_.normalisation == PathNormalisation::kDotSegments) path = WithoutDotSegments(path);
  if (scope_.encoding == PathEncoding::kTwice) path = UriEncode(path, Slash::kKeep);
  std::map<std::string, std::string> headers;  // several under one name are joined in their order
  for (const HttpHeader& header : request.headers) {
    std::string name = header.name;
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    auto [at, fresh] = headers.try_emplace(std::move(name), TrimmedValue(header.value));
    if (!fresh) at->second += ',' + TrimmedValue(header.value);
  }
  Canonical canonical;
  std::string lines;
  for (const auto& [name, value] : headers) {
    if (!canonical.signed_headers.empty()) canonical.signed_headers += ';';
    canonical.signed_headers += name;
    lines += name + ':' + value + '\n';
  }
  canonical.text = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", HttpMethodName(request.method), path,
                               FormatQuery(ParseQuery(QueryOf(request)).value_or(Query())), lines,
                               canonical.signed_headers, payload_hash);
  return canonical;
}

std::string SigV4::Scope(std::string_view time) const {
  return fmt::format("{}/{}/{}/aws4_request", time.substr(0, 8), scope_.region, scope_.service);
}

std::string SigV4::Signature(const Canonical& canonical, const AwsCredentials& credentials,
                             std::string_view time) const {
  const std::string text = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, time, Scope(time), ToHex(Sha256(canonical.text)));
  const std::string first = fmt::format("AWS4{}", credentials.secret_access_key.Reveal());
  Sha256Digest key = HmacSha256(AsBytes(first), time.substr(0, 8));
  for (const std::string_view next :
       {std::string_view(scope_.region), std::string_view(scope_.service), std::string_view("aws4_request")}) {
    key = HmacSha256(key, next);
  }
  return ToHex(HmacSha256(key, text));
}

void SigV4::Sign(HttpRequest& request, const AwsCredentials& credentials, std::int64_t wall_ms,
                 std::string_view payload_hash) const {
  const std::string time = FormatSigningTime(wall_ms);
  request.headers.push_back({"x-amz-date", time});
  if (!credentials.session_token.empty()) {
    request.headers.push_back({"x-amz-security-token", std::string(credentials.session_token.Reveal())});
  }
  const Canonical canonical = Canonicalize(request, payload_hash);
  request.headers.push_back(
      {"authorization",
       fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, credentials.access_key_id,
                   Scope(time), canonical.signed_headers, Signature(canonical, credentials, time))});
}

}  // namespace millrace
