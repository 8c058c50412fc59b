#include "cli/explanation.h"

#include <cmath>

#include "cli/json_writer.h"

namespace millrace {

void AddToExplanation(ReadExplanation& sum, const ReadExplanation& read) {
  sum.bytes.tail += read.bytes.tail;
  sum.bytes.wal += read.bytes.wal;
  sum.bytes.block_cache += read.bytes.block_cache;
  sum.bytes.segment_cache += read.bytes.segment_cache;
  sum.bytes.object_store += read.bytes.object_store;
  sum.requests += read.requests;
  sum.shared += read.shared;
  sum.wait += read.wait;
  sum.cost_usd += read.cost_usd;
}

std::string ExplanationJson(const ReadExplanation& explanation) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("explain").BeginObject().Key("bytes").BeginObject();
  json.Member("tail", explanation.bytes.tail).Member("wal", explanation.bytes.wal);
  json.Member("block_cache", explanation.bytes.block_cache).Member("segment_cache", explanation.bytes.segment_cache);
  json.Member("object_store", explanation.bytes.object_store).EndObject();
  json.Member("requests", explanation.requests).Member("shared", explanation.shared);
  double microseconds = std::round(static_cast<double>(explanation.wait.count()) / 1e3);
  json.Member("wait_ms", microseconds / 1e3).Member("cost_usd", explanation.cost_usd).EndObject().EndObject();
  return out + '\n';
}

}  // namespace millrace
