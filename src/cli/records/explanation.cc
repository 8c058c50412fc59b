#include "cli/records/explanation.h"

#include <cmath>

#include "text/json_writer.h"

namespace millrace {
namespace {

/// To the microsecond.
double Milliseconds(std::chrono::nanoseconds time) { return std::round(static_cast<double>(time.count()) / 1e3) / 1e3; }

}  // namespace

std::string ExplanationJson(const ReadExplanation& explanation) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("explain").BeginObject().Key("bytes").BeginObject();
  json.Member("tail", explanation.bytes.tail).Member("wal", explanation.bytes.wal);
  json.Member("block_cache", explanation.bytes.block_cache).Member("segment_cache", explanation.bytes.segment_cache);
  json.Member("object_store", explanation.bytes.object_store).EndObject();
  json.Member("requests", explanation.requests).Member("shared", explanation.shared);
  json.Member("wait_ms", Milliseconds(explanation.wait)).Member("cost_usd", explanation.cost_usd);
  const WaitByCause& wait = explanation.wait_by_cause;
  json.Member("prefetched", explanation.prefetched).Key("wait_by_cause_ms").BeginObject();
  json.Member("sync", Milliseconds(wait.sync)).Member("store", Milliseconds(wait.store));
  json.Member("shared", Milliseconds(wait.shared)).Member("memory", Milliseconds(wait.memory));
  json.Member("cache", Milliseconds(wait.cache)).EndObject().Key("ranges").BeginArray();
  for (const ReadExplanation::Range& range : explanation.ranges) {
    json.BeginObject().Member("object", range.object).Member("offset", range.offset);
    json.Member("length", range.length).EndObject();
  }
  json.EndArray().EndObject().EndObject();
  return out + '\n';
}

}  // namespace millrace
