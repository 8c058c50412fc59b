#include "cli/topic_json.h"

#include <string_view>

#include "cli/topic_settings.h"

namespace millrace {
namespace {

void WriteMembers(JsonWriter& json, const TopicDescription& topic) {
  json.Member("name", topic.name).Member("id", topic.id).Key("partitions").BeginArray();
  for (const PartitionDescription& partition : topic.partitions) {
    const PartitionOffsets& offsets = partition.offsets;
    json.BeginObject().Member("partition", partition.partition.value());
    json.Member("log_start", offsets.log_start.value()).Member("hot_start", offsets.hot_start.value());
    json.Member("tiered_end", offsets.tiered_end.value()).Member("durable_end", offsets.durable_end.value());
    json.Member("log_end", offsets.log_end.value()).Member("bytes_local", partition.bytes_local);
    json.Member("bytes_object", partition.bytes_object).Member("segments", partition.segments).EndObject();
  }
  json.EndArray().Key("config").BeginObject();
  for (const auto& [key, value] : TopicSettings(topic.options)) json.Member(key, value);
  json.EndObject();
}

}  // namespace

void WriteTopic(JsonWriter& json, const TopicDescription& topic) {
  json.BeginObject();
  WriteMembers(json, topic);
  json.EndObject();
}

std::string TopicDocument(const TopicDescription& topic) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Member("schema", "millrace.topic.v1");
  WriteMembers(json, topic);
  json.EndObject();
  return out + '\n';
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
