// Names and ids of topics, between the wire and the log.
#pragma once

#include <cstring>
#include <string_view>

#include "engine/metadata_image.h"
#include "kafka/wire_types.h"

namespace millrace {

/// 1 to 249 of [a-zA-Z0-9._-], and neither "." nor "..".
[[nodiscard]] bool IsTopicName(std::string_view name);

inline kafka::Uuid WireId(const TopicUuid& id) {
  kafka::Uuid out;
  std::memcpy(out.bytes.data(), id.bytes.data(), out.bytes.size());
  return out;
}
inline TopicUuid LogId(const kafka::Uuid& id) {
  TopicUuid out;
  std::memcpy(out.bytes.data(), id.bytes.data(), out.bytes.size());
  return out;
}

}  // namespace millrace
