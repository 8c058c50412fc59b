#include "store/s3/s3_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/try.h"
#include "http/uri_encoding.h"
#include "store/object_key.h"

namespace millrace {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr std::string_view kShape =
    "Write s3://bucket/prefix?endpoint=URL&region=NAME&style=path|virtual&checksum=crc32c|none&ca=FILE";

Error Wrong(std::string_view what) {
  return {ErrorCode::kInvalidArgument, fmt::format("object store s3: {}", what), std::string(kShape)};
}

bool IsHostByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == '_' || c == ':';
}

Result<void> SetEndpoint(S3Settings& settings, std::string_view endpoint) {
  settings.tls = !endpoint.starts_with("http://");
  settings.port = settings.tls ? 443 : 80;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (endpoint.starts_with(scheme)) endpoint.remove_prefix(scheme.size());
  }
  if (endpoint.ends_with('/')) endpoint.remove_suffix(1);
  std::string_view port;
  if (endpoint.starts_with('[')) {
    const std::size_t close = endpoint.find(']');
    if (close == std::string_view::npos) return Wrong("the endpoint's address is not closed by ]");
    port = endpoint.substr(close + 1);
    endpoint = endpoint.substr(1, close - 1);
  } else if (const std::size_t colon = endpoint.find(':'); colon != std::string_view::npos) {
    port = endpoint.substr(colon);
    endpoint = endpoint.substr(0, colon);
  }
  if (!port.empty()) {
    const auto [end, failed] = std::from_chars(port.data() + 1, port.data() + port.size(), settings.port);
    if (port.front() != ':' || failed != std::errc() || end != port.data() + port.size() || settings.port == 0) {
      return Wrong("the endpoint's port is none");
    }
  }
  if (endpoint.empty() || !std::ranges::all_of(endpoint, IsHostByte)) return Wrong("the endpoint names no host");
  settings.host = endpoint;
  return {};
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || (c >= 'A' && c <= 'Z') ||
           c == '_';
  });
}

Result<void> SetPlace(S3Settings& settings, std::string_view place) {
  if (place.find('@') != std::string_view::npos) {
    return Error(
        ErrorCode::kInvalidArgument, "object store s3: the URL holds a key or password",
        "Credentials come from the environment (AWS_ACCESS_KEY_ID, …), ~/.aws or the machine's role, never from "
        "the URL");
  }
  settings.bucket = place.substr(0, place.find('/'));
  place.remove_prefix(std::min(place.size(), settings.bucket.size() + 1));
  if (place.ends_with('/')) place.remove_suffix(1);
  if (!IsName(settings.bucket)) return Wrong("the URL names no bucket");
  if (!place.empty() && !CheckObjectKey(place)) return Wrong("the prefix is made of other bytes than [0-9A-Za-z._/-]");
  settings.prefix = place;
  return {};
}

}  // namespace

Result<S3Settings> ParseS3Url(std::string_view url, const S3Defaults& defaults) {
  if (!url.starts_with(kScheme)) return Wrong("the URL does not begin with s3://");
  url.remove_prefix(kScheme.size());
  const std::size_t mark = url.find('?');
  S3Settings settings;
  MR_TRY(SetPlace(settings, url.substr(0, mark)));
  if (!defaults.region.empty()) settings.region = defaults.region;
  const auto query = ParseQuery(mark == std::string_view::npos ? std::string_view() : url.substr(mark + 1));
  if (!query) return Wrong("a parameter is badly encoded");
  std::string_view endpoint = defaults.endpoint, style, checksum, single_writer;
  for (const auto& [name, value] : *query) {
    if (name == "endpoint") {
      endpoint = value;
    } else if (name == "region") {
      settings.region = value;
    } else if (name == "style") {
      style = value;
    } else if (name == "checksum") {
      checksum = value;
    } else if (name == "ca") {
      settings.ca_file = value;
    } else if (name == "single_writer") {
      single_writer = value;
    } else {
      return Wrong("the URL has a parameter that is none of endpoint, region, style, checksum, ca, single_writer");
    }
  }
  if (!IsName(settings.region)) return Wrong("the region is no name");
  if (!style.empty() && style != "path" && style != "virtual") return Wrong("the style is neither path nor virtual");
  if (!checksum.empty() && checksum != "crc32c" && checksum != "none") {
    return Wrong("the checksum is neither crc32c nor none");
  }
  if (!single_writer.empty() && single_writer != "1") return Wrong("single_writer is not 1");
  settings.single_writer = single_writer == "1";
  if (checksum == "none") settings.checksums = Checksums::kOff;
  if (!settings.ca_file.empty() && settings.ca_file.front() != '/') return Wrong("the file of ca= is no absolute path");
  if (endpoint.empty()) {
    settings.host = fmt::format("s3.{}.amazonaws.com", settings.region);
    if (settings.region.starts_with("cn-")) settings.host += ".cn";
  } else {
    MR_TRY(SetEndpoint(settings, endpoint));
  }
  // A dot in the bucket's name would not be covered by the endpoint's certificate.
  const bool path =
      style.empty() ? !endpoint.empty() || settings.bucket.find('.') != std::string::npos : style == "path";
  settings.addressing = path ? S3Addressing::kPath : S3Addressing::kVirtualHost;
  return settings;
}

}  // namespace millrace
