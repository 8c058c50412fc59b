#include "server/kafka/fixed_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace millrace {
namespace {

constexpr std::string_view kLeaveOut = "Leave it out";

/// Of how files are cut, indexed and written, and of compaction, which no topic here has.
struct WorkSetting {
  std::string_view name;
  double min = 0, max = static_cast<double>(std::numeric_limits<std::int64_t>::max());
};
constexpr std::array kWorkSettings = std::to_array<WorkSetting>({
    {"segment.bytes", 1},
    {"segment.ms", 1},
    {"segment.jitter.ms"},
    {"segment.index.bytes", 4},
    {"index.interval.bytes"},
    {"file.delete.delay.ms"},
    {"flush.messages", 1},
    {"flush.ms"},
    {"delete.retention.ms"},
    {"min.compaction.lag.ms"},
    {"max.compaction.lag.ms", 1},
    {"min.cleanable.dirty.ratio", 0, 1},
});

std::optional<double> NumberOf(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "1048588" as "01048588", "True" as "true": as Kafka reads them.
bool IsSame(const FixedSetting& setting, std::string_view value) {
  if (setting.type == ConfigType::kInt || setting.type == ConfigType::kLong) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    return error == std::errc() && end == value.data() + value.size() && fmt::format("{}", number) == setting.value;
  }
  if (setting.type != ConfigType::kBoolean) return value == setting.value;
  const auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::ranges::equal(value, setting.value, {}, small);
}

}  // namespace

std::vector<FixedSetting> FixedSettings(const BrokerSettings& settings) {
  return {
      {"max.message.bytes", fmt::format("{}", settings.batch_bytes_max), ConfigType::kInt,
       "The limit is the server's: leave it out, and have the server started with server.batch_bytes_max"},
      {"min.insync.replicas", "1", ConfigType::kInt,
       "A partition has one owner, and its copies are the object store's: leave it out, or set millrace.durability to "
       "object"},
      {"compression.type", "producer", ConfigType::kString,
       "Batches are kept as producers compressed them: leave it out, and set the compression of the producers"},
      {"message.timestamp.type", "CreateTime", ConfigType::kString,
       "Records keep the time that producers give them: leave it out"},
      {"message.timestamp.before.max.ms", fmt::format("{}", std::numeric_limits<std::int64_t>::max()),
       ConfigType::kLong, kLeaveOut},
      {"message.timestamp.after.max.ms", fmt::format("{}", kTimestampAheadMaxMs), ConfigType::kLong, kLeaveOut},
      {"unclean.leader.election.enable", "false", ConfigType::kBoolean, kLeaveOut},
      {"preallocate", "false", ConfigType::kBoolean, kLeaveOut},
      {"remote.storage.enable", "true", ConfigType::kBoolean,
       "What was written goes to the object store: leave it out"},
      {"local.retention.ms", "-2", ConfigType::kLong,
       "How much stays on this disk is the server's: leave it out, and use retention.ms"},
      {"local.retention.bytes", "-2", ConfigType::kLong,
       "How much stays on this disk is the server's: leave it out, and use retention.bytes"},
      {"leader.replication.throttled.replicas", "", ConfigType::kList, kLeaveOut},
      {"follower.replication.throttled.replicas", "", ConfigType::kList, kLeaveOut},
  };
}

std::optional<std::string> CheckFixedSetting(const BrokerSettings& settings, std::string_view name,
                                             std::string_view value) {
  const std::vector<FixedSetting> fixed = FixedSettings(settings);
  if (const auto one = std::ranges::find(fixed, name, &FixedSetting::name); one != fixed.end()) {
    if (IsSame(*one, value)) return "";
    return fmt::format("{} is {} for every topic here, not {}. {}.", one->name, one->value, value, one->advice);
  }
  const auto work = std::ranges::find(kWorkSettings, name, &WorkSetting::name);
  if (work == kWorkSettings.end()) return std::nullopt;
  const auto number = NumberOf(value);
  if (number && *number >= work->min && *number <= work->max) return "";
  return fmt::format("{} takes a number from {} on, not \"{}\". {}.", work->name, work->min, value, kLeaveOut);
}

}  // namespace millrace
