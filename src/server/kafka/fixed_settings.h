// Settings that Kafka gives each topic and that no topic has of its own here. Some hold for every topic of this server:
// they are told, and a new topic may name one with the value that holds anyway; another value would be a promise that
// is not kept. Others say how a server is to go about its work, which no client sees: they are taken and change
// nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/kafka/broker.h"

namespace millrace {

/// Types of values, as DescribeConfigs numbers them.
enum class ConfigType : std::int8_t { kBoolean = 1, kString = 2, kInt = 3, kLong = 5, kList = 7 };

struct FixedSetting {
  std::string_view name;
  std::string value;
  ConfigType type = ConfigType::kString;
  std::string_view advice;  // for who wants another value
};

/// Producers' times beyond the server's clock are refused from here on: message.timestamp.after.max.ms.
inline constexpr std::int64_t kTimestampAheadMaxMs = 3'600'000;

std::vector<FixedSetting> FixedSettings(const BrokerSettings& settings);

/// What becomes of a setting that a new topic is given. None: it is no setting of these. Else "" if it is taken, or why
/// it is not, and what to do.
std::optional<std::string> CheckFixedSetting(const BrokerSettings& settings, std::string_view name,
                                             std::string_view value);

}  // namespace millrace
