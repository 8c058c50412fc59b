#include "cli/verbs/topic_json.h"

#include <string_view>
#include <utility>
#include <vector>

#include "kafka/topic_settings.h"

namespace millrace {
namespace {

void WriteDamage(JsonWriter& json, const std::vector<DamagedRange>& damage) {
  json.Key("damage").BeginArray();
  for (const DamagedRange& range : damage) {
    json.BeginObject().Member("begin", range.begin.value()).Member("end", range.end.value());
    json.Member("place", range.place).Member("byte_begin", range.byte_begin).Member("byte_end", range.byte_end);
    json.EndObject();
  }
  json.EndArray();
}

void WriteSettings(JsonWriter& json, const std::vector<std::pair<std::string, std::string>>& settings) {
  json.Key("config").BeginObject();
  for (const auto& [key, value] : settings) json.Member(key, value);
  json.EndObject();
}

void WriteMembers(JsonWriter& json, const TopicDescription& topic) {
  json.Member("name", topic.name).Member("id", topic.id).Key("partitions").BeginArray();
  for (const PartitionDescription& partition : topic.partitions) {
    const PartitionOffsets& offsets = partition.offsets;
    json.BeginObject().Member("partition", partition.partition.value());
    json.Member("log_start", offsets.log_start.value()).Member("hot_start", offsets.hot_start.value());
    json.Member("tiered_end", offsets.tiered_end.value()).Member("durable_end", offsets.durable_end.value());
    json.Member("log_end", offsets.log_end.value()).Member("bytes_local", partition.bytes_local);
    json.Member("bytes_object", partition.bytes_object).Member("segments", partition.segments);
    json.Member("upload_pending_bytes", partition.upload_pending_bytes);
    WriteFailure(json, "upload_failure", partition.upload_failure);
    if (partition.broken) json.Member("broken", partition.broken->message());
    if (!partition.damage.empty()) WriteDamage(json, partition.damage);
    json.EndObject();
  }
  json.EndArray();
  WriteSettings(json, TopicSettings(topic.options));
}

/// What the protocol tells.
void WriteToldMembers(JsonWriter& json, const LogTopic& topic) {
  json.Member("name", topic.name);
  if (!topic.id.empty()) json.Member("id", topic.id);
  json.Key("partitions").BeginArray();
  for (const PartitionDescription& partition : topic.partitions) {
    json.BeginObject().Member("partition", partition.partition.value());
    if (partition.broken) {
      json.Member("broken", partition.broken->message());
    } else {
      json.Member("log_start", partition.offsets.log_start.value());
      json.Member("log_end", partition.offsets.log_end.value());
    }
    json.EndObject();
  }
  json.EndArray();
  WriteSettings(json, topic.settings);
}

/// `write` as a document of schema millrace.topic.v1.
template <class Write>
std::string DocumentOf(Write write) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Member("schema", "millrace.topic.v1");
  write(json);
  json.EndObject();
  return out + '\n';
}

}  // namespace

void WriteFailure(JsonWriter& json, std::string_view name, const std::optional<BackgroundFailure>& failure) {
  if (!failure) return;
  json.Key(name).BeginObject().Member("code", ErrorCodeName(failure->error.code()));
  json.Member("message", failure->error.message()).Member("since_ms", failure->since_ms);
  json.Member("times", failure->times).EndObject();
}

void WriteTopic(JsonWriter& json, const TopicDescription& topic) {
  json.BeginObject();
  WriteMembers(json, topic);
  json.EndObject();
}

void WriteTopic(JsonWriter& json, const LogTopic& topic) {
  if (topic.detail == TopicDetail::kEngine) return WriteTopic(json, static_cast<const TopicDescription&>(topic));
  json.BeginObject();
  WriteToldMembers(json, topic);
  json.EndObject();
}

std::string TopicDocument(const TopicDescription& topic) {
  return DocumentOf([&](JsonWriter& json) { WriteMembers(json, topic); });
}

std::string TopicDocument(const LogTopic& topic) {
  if (topic.detail == TopicDetail::kEngine) return TopicDocument(static_cast<const TopicDescription&>(topic));
  return DocumentOf([&](JsonWriter& json) { WriteToldMembers(json, topic); });
}

TopicTotals TotalsOf(const TopicDescription& topic) {
  TopicTotals totals;
  for (const PartitionDescription& partition : topic.partitions) {
    totals.records += static_cast<std::uint64_t>(partition.offsets.log_end - partition.offsets.log_start);
    totals.unsent += static_cast<std::uint64_t>(partition.offsets.log_end - partition.offsets.tiered_end);
    totals.bytes_local += partition.bytes_local;
    totals.bytes_object += partition.bytes_object;
    totals.segments += partition.segments;
  }
  return totals;
}

}  // namespace millrace
