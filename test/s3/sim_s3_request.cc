#include "test/s3/sim_s3_request.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace millrace {
namespace {

constexpr std::string_view kVirtualHostEnding = ".s3.local";

Error BadTarget(std::string_view target) {
  return {ErrorCode::kInvalidArgument, fmt::format("no target of a request: {}", target)};
}

bool DecodeQuery(std::string_view text, SimS3Request::Words& query) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find('&'));
    text.remove_prefix(word.size() < text.size() ? word.size() + 1 : word.size());
    const std::size_t equals = word.find('=');
    auto name = UrlDecoded(word.substr(0, equals));
    auto value = UrlDecoded(equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1));
    if (!name || !value) return false;
    query.insert_or_assign(*std::move(name), *std::move(value));
  }
  return true;
}

std::string_view BucketOfHost(std::string_view host) {
  host = host.substr(0, host.find(':'));
  if (!host.ends_with(kVirtualHostEnding)) return {};
  return host.substr(0, host.size() - kVirtualHostEnding.size());
}

}  // namespace

std::string_view S3VerbName(S3Verb verb) {
  constexpr std::array<std::string_view, kS3Verbs> kNames = {"put",    "get",         "head",      "list",
                                                             "delete", "delete-many", "multipart", "bucket"};
  return kNames[static_cast<std::size_t>(verb)];
}

std::string UrlEncoded(std::string_view text) {
  constexpr std::string_view kPlain = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~/";
  std::string encoded;
  for (const char character : text) {
    if (kPlain.contains(character)) {
      encoded += character;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(character));
    }
  }
  return encoded;
}

std::optional<std::string> UrlDecoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    const char* const begin = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

std::optional<std::string_view> NextElement(std::string_view xml, std::string_view name, std::size_t* at) {
  const std::string opening = fmt::format("<{}>", name), closing = fmt::format("</{}>", name);
  const std::size_t begin = xml.find(opening, *at);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t end = xml.find(closing, begin);
  if (end == std::string_view::npos) return std::nullopt;
  *at = end + closing.size();
  return xml.substr(begin + opening.size(), end - begin - opening.size());
}

Result<SimS3Request> SimS3Request::Parse(std::string_view method, std::string_view target, Words headers,
                                         SharedBytes body) {
  SimS3Request request{.method = std::string(method), .headers = std::move(headers), .body = std::move(body)};
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos && !DecodeQuery(target.substr(question + 1), request.query)) {
    return BadTarget(target);
  }
  const auto path = UrlDecoded(target.substr(0, question));
  if (!path || !path->starts_with('/')) return BadTarget(target);
  request.bucket = BucketOfHost(request.Header("host"));
  std::string_view rest = std::string_view(*path).substr(1);
  if (request.bucket.empty()) {
    const std::size_t slash = rest.find('/');
    request.bucket = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  request.key = rest;
  return request;
}

S3Verb SimS3Request::Verb() const {
  if (query.contains("uploadId") || query.contains("uploads")) return S3Verb::kMultipart;
  if (method == "POST" && query.contains("delete")) return S3Verb::kDeleteMany;
  if (method == "GET" && query.contains("list-type")) return S3Verb::kList;
  if (key.empty()) return S3Verb::kBucket;
  if (method == "PUT") return S3Verb::kPut;
  if (method == "GET") return S3Verb::kGet;
  if (method == "HEAD") return S3Verb::kHead;
  if (method == "DELETE") return S3Verb::kDelete;
  return S3Verb::kBucket;
}

std::string_view SimS3Request::Header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<std::string_view> SimS3Request::Query(std::string_view name) const {
  const auto found = query.find(name);
  if (found == query.end()) return std::nullopt;
  return found->second;
}

}  // namespace millrace
