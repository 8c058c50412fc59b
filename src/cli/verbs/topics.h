// Topics by name, for commands that take one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/log.h"
#include "millrace/engine.h"
#include "millrace/result.h"

namespace millrace {

/// kNotFound, naming the topic and the nearest one there is.
Result<LogTopic> FindTopic(Log& log, std::string_view name);
Result<LogTopic> FindTopic(Engine& engine, std::string_view name);

/// "orders (4 partitions, durability disk)": what was made.
std::string NewTopicInWords(const LogTopic& topic);

/// All partitions of a topic, or the one asked for (kNotFound if it has none of that number).
Result<std::vector<TopicPartition>> PartitionsOf(const TopicDescription& topic, std::optional<std::int64_t> only);

}  // namespace millrace
