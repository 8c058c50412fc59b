// Where a setting's value is from, as CreateTopics and DescribeConfigs tell it.
#pragma once

#include <cstdint>

namespace millrace {

enum class ConfigSource : std::int8_t { kTopic = 1, kStaticBroker = 4, kDefault = 5 };

/// A topic's setting, and what a topic gets where nothing is said. Both are `NAME, VALUE`.
template <class Setting>
ConfigSource SourceOf(const Setting& of_topic, const Setting& by_default) {
  return of_topic == by_default ? ConfigSource::kDefault : ConfigSource::kTopic;
}

}  // namespace millrace
