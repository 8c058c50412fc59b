#include "kafka/topic_settings.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "base/try.h"
#include "text/nearest_name.h"
#include "text/units.h"

namespace millrace {
namespace {

constexpr std::array<std::string_view, 5> kKeys{"cleanup.policy", "millrace.cleanup", "millrace.durability",
                                                "retention.bytes", "retention.ms"};

Error WrongSetting(std::string_view key, std::string_view value, std::string_view wanted) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} takes {}, not \"{}\"", key, wanted, value));
}

Result<void> SetRetentionTime(std::string_view key, std::string_view value, TopicOptions& options) {
  if (value == "-1") {
    options.retention_time.reset();
    return {};
  }
  auto time = ParseDuration(value);
  if (!time) return WrongSetting(key, value, "milliseconds, a duration such as 7d, or -1 to keep");
  options.retention_time = *time;
  return {};
}

Result<void> SetRetentionBytes(std::string_view key, std::string_view value, TopicOptions& options) {
  if (value == "-1") {
    options.retention_bytes.reset();
    return {};
  }
  auto bytes = ParseSize(value);
  if (!bytes) return WrongSetting(key, value, "bytes, a size such as 10GiB, or -1 to keep");
  options.retention_bytes = *bytes;
  return {};
}

Result<void> SetCleanup(std::string_view key, std::string_view value, TopicOptions& options) {
  if (value == "delete") {
    options.cleanup = Cleanup::kDelete;
  } else if (value == "compact") {
    options.cleanup = Cleanup::kCompact;
  } else if (value == "consumed") {
    options.cleanup = Cleanup::kConsumed;
  } else {
    return WrongSetting(key, value, "delete, compact or consumed");
  }
  return {};
}

std::string_view CleanupName(Cleanup cleanup) {
  switch (cleanup) {
    case Cleanup::kCompact:
      return "compact";
    case Cleanup::kConsumed:
      return "consumed";
    case Cleanup::kDelete:
      break;
  }
  return "delete";
}

}  // namespace

Result<void> ApplyTopicSetting(std::string_view setting, TopicOptions& options) {
  std::size_t equals = setting.find('=');
  if (equals == std::string_view::npos) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("a setting is KEY=VALUE, not \"{}\"", setting));
  }
  std::string_view key = setting.substr(0, equals), value = setting.substr(equals + 1);
  if (key == "retention.ms") return SetRetentionTime(key, value, options);
  if (key == "retention.bytes") return SetRetentionBytes(key, value, options);
  if (key == "cleanup.policy" || key == "millrace.cleanup") return SetCleanup(key, value, options);
  if (key == "millrace.durability") {
    MR_ASSIGN_OR_RETURN(options.durability, ParseDurability(key, value));
    return {};
  }
  std::string hint = fmt::format("Settings are {}.", fmt::join(kKeys, ", "));
  if (auto nearest = NearestName(key, kKeys)) hint = fmt::format("Did you mean {}? {}", *nearest, hint);
  return Error(ErrorCode::kInvalidArgument, fmt::format("unknown topic setting {}", key), hint);
}

Result<void> ApplyTopicSettings(std::span<const std::string> settings, TopicOptions& options) {
  for (const std::string& setting : settings) MR_TRY(ApplyTopicSetting(setting, options));
  return {};
}

std::vector<std::pair<std::string, std::string>> TopicSettings(const TopicOptions& options) {
  return {
      {"retention.ms", options.retention_time ? fmt::format("{}", options.retention_time->count()) : "-1"},
      {"retention.bytes", options.retention_bytes ? fmt::format("{}", *options.retention_bytes) : "-1"},
      {"millrace.durability", std::string(DurabilityName(options.durability))},
      {"cleanup.policy", std::string(CleanupName(options.cleanup))},
  };
}

std::string_view DurabilityName(Durability durability) {
  switch (durability) {
    case Durability::kOs:
      return "os";
    case Durability::kDisk:
      return "disk";
    case Durability::kObject:
      break;
  }
  return "object";
}

Result<Durability> ParseDurability(std::string_view flag, std::string_view text) {
  for (Durability level : {Durability::kOs, Durability::kDisk, Durability::kObject}) {
    if (text == DurabilityName(level)) return level;
  }
  return WrongSetting(flag, text, "os, disk or object");
}

}  // namespace millrace
