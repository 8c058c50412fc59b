// A record as one line of JSON, out and in.
#pragma once

#include <string>
#include <string_view>

#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

/// {"topic":…,"partition":…,"offset":…,"timestamp_ms":…,"key":…,"value":…,"headers":[…]} and a newline. If a key, value
/// or header value is not UTF-8, all of the line's are base64 and "encoding":"base64" says so.
void AppendRecordJson(std::string& out, const TopicPartition& partition, const RecordView& record);

/// The same read back into `record`: timestamp_ms, key, value, headers, encoding count; other members are ignored.
/// kInvalidArgument for what is no such object.
Result<void> ParseRecordJson(std::string_view line, Record& record);

}  // namespace millrace
