// Topic settings as people and Kafka spell them: retention.ms=604800000.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// Changes `options` by "key=value". retention.ms and retention.bytes take -1 for "keep", and units ("7d", "10GiB").
/// kInvalidArgument for an unknown key (with the nearest one) or a value out of bounds.
Result<void> ApplyTopicSetting(std::string_view setting, TopicOptions& options);
Result<void> ApplyTopicSettings(std::span<const std::string> settings, TopicOptions& options);

/// All settings in the same spelling.
std::vector<std::pair<std::string, std::string>> TopicSettings(const TopicOptions& options);

/// "os", "disk", "object".
std::string_view DurabilityName(Durability durability);
Result<Durability> ParseDurability(std::string_view flag, std::string_view text);

}  // namespace millrace
