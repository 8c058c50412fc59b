// Topics as JSON: the same members wherever a topic is shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/log.h"
#include "millrace/engine.h"
#include "text/json_writer.h"

namespace millrace {

/// {"name":…,"id":…,"partitions":[…],"config":{…}} without a schema, as a value.
void WriteTopic(JsonWriter& json, const TopicDescription& topic);
/// The same; members that a server does not tell are absent.
void WriteTopic(JsonWriter& json, const LogTopic& topic);
/// The same as a document of schema millrace.topic.v1, with a newline.
std::string TopicDocument(const TopicDescription& topic);
std::string TopicDocument(const LogTopic& topic);

/// Member `name`, if there is such a failure: {"message":…,"code":…,"since_ms":…,"times":…}.
void WriteFailure(JsonWriter& json, std::string_view name, const std::optional<BackgroundFailure>& failure);

/// Sums over the partitions of a topic.
struct TopicTotals {
  std::uint64_t records = 0, bytes_local = 0, bytes_object = 0, segments = 0, unsent = 0;
};
TopicTotals TotalsOf(const TopicDescription& topic);

}  // namespace millrace
