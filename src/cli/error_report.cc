#include "cli/error_report.h"

#include "kafka/error_codes.h"
#include "text/json_writer.h"

namespace millrace {
namespace {

std::string JsonReport(const Error& error) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("error").BeginObject();
  json.Member("code", ErrorCodeName(error.code()));
  json.Member("kafka_code", KafkaCodeOf(error.code()));
  json.Member("message", error.message());
  if (!error.hint().empty()) json.Member("hint", error.hint());
  json.Member("retryable", error.retryable());
  if (auto bounds = error.bounds()) {
    json.Member("log_start", bounds->log_start.value()).Member("log_end", bounds->end.value());
  }
  if (const DamagedRange* damage = error.damage()) {
    json.Key("damage").BeginObject();
    if (!damage->partition.topic.empty()) {
      json.Member("topic", damage->partition.topic).Member("partition", damage->partition.partition.value());
      json.Member("begin", damage->begin.value()).Member("end", damage->end.value());
    }
    json.Member("place", damage->place);
    json.Member("byte_begin", damage->byte_begin).Member("byte_end", damage->byte_end).EndObject();
  }
  json.EndObject().EndObject();
  return out + '\n';
}

}  // namespace

std::string ErrorReport(const Error& error, ErrorForm form) {
  return form == ErrorForm::kJson ? JsonReport(error) : "millrace: " + error.ToString() + '\n';
}

}  // namespace millrace
