// What a consumer's metadata says it reads: the head of Kafka's ConsumerProtocolSubscription. All else in it is opaque.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace millrace {

/// Views into `metadata`. None: it is not that.
std::optional<std::vector<std::string_view>> SubscribedTopics(std::string_view metadata);

}  // namespace millrace
