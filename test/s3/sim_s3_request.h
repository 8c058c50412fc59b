// An HTTP request as S3 reads it: verb, bucket, key, query and headers, decoded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/bytes.h"
#include "millrace/result.h"

namespace millrace {

/// What a request asks of S3.
enum class S3Verb { kPut, kGet, kHead, kList, kDelete, kDeleteMany, kMultipart, kBucket, kEnd };
inline constexpr std::size_t kS3Verbs = static_cast<std::size_t>(S3Verb::kEnd);
std::string_view S3VerbName(S3Verb verb);

struct SimS3Request {
  using Words = std::map<std::string, std::string, std::less<>>;

  std::string method;       // "GET"
  std::string bucket, key;  // key "": the bucket itself
  Words query;              // "?uploads" is {"uploads", ""}
  Words headers;            // names in small letters
  SharedBytes body;

  /// `target` is path and query as sent. Path-style, or virtual-host style if the header `host` is BUCKET.s3.local.
  /// Errors: kInvalidArgument (a bad escape, no leading slash).
  static Result<SimS3Request> Parse(std::string_view method, std::string_view target, Words headers, SharedBytes body);

  [[nodiscard]] S3Verb Verb() const;
  /// "" if there is none.
  [[nodiscard]] std::string_view Header(std::string_view name) const;
  [[nodiscard]] std::optional<std::string_view> Query(std::string_view name) const;
};

/// %XX for everything but letters, digits and "-._~/".
std::string UrlEncoded(std::string_view text);
/// None: a bad escape.
std::optional<std::string> UrlDecoded(std::string_view text);

/// What stands in the first <name>…</name> at or after `*at`, which moves past it; none: there is no more.
std::optional<std::string_view> NextElement(std::string_view xml, std::string_view name, std::size_t* at);

}  // namespace millrace
