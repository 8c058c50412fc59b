#include "cli/records/record_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/try.h"
#include "text/base64.h"
#include "text/json_writer.h"
#include "text/utf8.h"

namespace millrace {
namespace {

using Json = nlohmann::json;
using OptionalText = std::optional<std::string_view>;

bool IsText(const OptionalText& bytes) { return !bytes || IsUtf8(*bytes); }

void AppendBytes(std::string& out, const OptionalText& bytes, bool base64) {
  if (!bytes) {
    out += "null";
  } else if (base64) {
    out += '"';
    AppendBase64(out, *bytes);
    out += '"';
  } else {
    AppendJsonString(out, *bytes);
  }
}

void AppendNumber(std::string& out, std::string_view name, std::int64_t value) {
  out += name;
  fmt::format_int text(value);
  out.append(text.data(), text.size());
}

Error Wrong(std::string_view why) { return Error(ErrorCode::kInvalidArgument, std::string(why)); }

Result<std::optional<std::string>> BytesOf(const Json& object, const char* name, bool base64) {
  auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::optional<std::string>();
  if (!found->is_string()) return Wrong(fmt::format("\"{}\" is neither text nor null", name));
  const auto& text = found->get_ref<const std::string&>();
  if (!base64) return std::optional(text);
  auto bytes = DecodeBase64(text);
  if (!bytes) return Wrong(fmt::format("\"{}\" is not base64", name));
  return bytes;
}

Result<std::vector<Header>> HeadersOf(const Json& object, bool base64) {
  std::vector<Header> headers;
  auto found = object.find("headers");
  if (found == object.end() || found->is_null()) return headers;
  if (!found->is_array()) return Wrong("\"headers\" is no array");
  for (const Json& entry : *found) {
    if (!entry.is_object() || !entry.contains("key") || !entry.at("key").is_string()) {
      return Wrong("a header is no object with a \"key\"");
    }
    MR_ASSIGN_OR_RETURN(std::optional<std::string> value, BytesOf(entry, "value", base64));
    headers.push_back({entry.at("key").get<std::string>(), std::move(value)});
  }
  return headers;
}

}  // namespace

void AppendRecordJson(std::string& out, const TopicPartition& partition, const RecordView& record) {
  std::vector<HeaderView> headers = record.Headers();
  bool text = IsText(record.key) && IsText(record.value) &&
              std::ranges::all_of(headers, [](const HeaderView& header) { return IsText(header.value); });
  out += "{\"topic\":";
  AppendJsonString(out, partition.topic);
  AppendNumber(out, ",\"partition\":", partition.partition.value());
  AppendNumber(out, ",\"offset\":", record.offset.value());
  AppendNumber(out, ",\"timestamp_ms\":", record.timestamp_ms);
  out += ",\"key\":";
  AppendBytes(out, record.key, !text);
  out += ",\"value\":";
  AppendBytes(out, record.value, !text);
  out += ",\"headers\":[";
  for (std::size_t i = 0; i < headers.size(); ++i) {
    out += i == 0 ? "{\"key\":" : ",{\"key\":";
    AppendJsonString(out, headers[i].key);
    out += ",\"value\":";
    AppendBytes(out, headers[i].value, !text);
    out += '}';
  }
  out += text ? "]}\n" : "],\"encoding\":\"base64\"}\n";
}

Result<void> ParseRecordJson(std::string_view line, Record& record) {
  Json object = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) return Wrong("not JSON");
  if (!object.is_object()) return Wrong("no JSON object");
  bool base64 = false;
  if (auto encoding = object.find("encoding"); encoding != object.end() && !encoding->is_null()) {
    if (!encoding->is_string() || *encoding != "base64") return Wrong("\"encoding\" is not \"base64\"");
    base64 = true;
  }
  record.timestamp_ms = 0;
  if (auto time = object.find("timestamp_ms"); time != object.end() && !time->is_null()) {
    if (!time->is_number_integer()) return Wrong("\"timestamp_ms\" is no whole number");
    if (time->is_number_unsigned() && time->get<std::uint64_t>() > INT64_MAX)
      return Wrong("\"timestamp_ms\" is larger than any time");
    record.timestamp_ms = time->get<std::int64_t>();
  }
  MR_ASSIGN_OR_RETURN(record.key, BytesOf(object, "key", base64));
  MR_ASSIGN_OR_RETURN(record.value, BytesOf(object, "value", base64));
  MR_ASSIGN_OR_RETURN(record.headers, HeadersOf(object, base64));
  return {};
}

}  // namespace millrace
