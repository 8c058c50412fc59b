#include "kafka/message.h"

#include <fmt/format.h>

#include <algorithm>

#include "kafka/messages/api_keys.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kSizeBytes = 4;

const ApiTable* FindTable(std::int16_t key) {
  const auto table = std::ranges::find(kApiTables, static_cast<ApiKey>(key), &ApiTable::key);
  return table == kApiTables.end() ? nullptr : &*table;
}

}  // namespace

Result<RequestHeader> ReadRequestHeader(WireReader& in) {
  RequestHeader header;
  in.SetForm({.message = "RequestHeader"});
  header.api_key = in.Int16("request_api_key");
  header.api_version = in.Int16("request_api_version");
  header.correlation_id = in.Int32("correlation_id");
  MR_TRY(in.Finish());
  const ApiTable* table = FindTable(header.api_key);
  if (table == nullptr) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("a request of API {} v{}, which is not known here", header.api_key, header.api_version));
  }
  // The client's id is never compact; only the tags behind it come and go with the form.
  header.client_id = in.NullableString("client_id", true);
  in.SetForm({.message = "RequestHeader", .version = 2, .flexible = header.api_version >= table->first_flexible});
  in.Tags("tags");
  MR_TRY(in.Finish());
  return header;
}

Result<void> CheckVersion(std::string_view message, std::int16_t version, VersionRange versions) {
  if (versions.Contains(version)) return {};
  return Error(ErrorCode::kUnsupported,
               fmt::format("{} has versions {} to {}, not {}", message, versions.first, versions.last, version));
}

namespace frame {

Result<void> ReadResponseHeader(WireReader& in, std::string_view message, bool flexible, std::int32_t correlation_id) {
  in.SetForm({.message = "ResponseHeader", .version = flexible, .flexible = flexible});
  const std::int32_t found = in.Int32("correlation_id");
  in.Tags("tags");
  MR_TRY(in.Finish());
  if (found == correlation_id) return {};
  return Error(ErrorCode::kCorruption,
               fmt::format("{} answers request {}, and not {}", message, found, correlation_id));
}

void WriteRequestHeader(WireWriter& out, const RequestHeader& header, bool flexible) {
  out.SetForm(header.api_version, false);
  out.Int32(0);  // the size, which Finish knows
  out.Int16(header.api_key);
  out.Int16(header.api_version);
  out.Int32(header.correlation_id);
  out.NullableString(header.client_id, true);
  out.SetForm(header.api_version, flexible);
  const TagWriter tags(out);
}

void WriteResponseHeader(WireWriter& out, std::int32_t correlation_id, bool flexible) {
  const bool body_flexible = out.flexible();
  out.Int32(0);  // the size, which Finish knows
  out.Int32(correlation_id);
  out.SetForm(out.version(), flexible);
  const TagWriter tags(out);
  out.SetForm(out.version(), body_flexible);
}

WireSlices Finish(WireWriter& out) {
  out.PutInt32(0, static_cast<std::int32_t>(out.size_bytes() - kSizeBytes));
  return out.Finish();
}

}  // namespace frame

}  // namespace millrace::kafka
