// What the members of a group of consumers tell each other through its coordinator, to whom it is opaque: which topics
// a member reads (ConsumerProtocolSubscription), and which partitions it was given (ConsumerProtocolAssignment).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/types.h"

namespace millrace::kafka {

/// Version 0, without data of the assignor's.
std::string EncodeSubscription(std::span<const std::string> topics);
/// The topics of any version; what stands behind them is not looked at. None: it is not that.
std::optional<std::vector<std::string>> ReadSubscription(std::string_view bytes);

/// Version 0. Partitions of one topic need not stand together.
std::string EncodeAssignment(std::span<const TopicPartition> partitions);
/// As ReadSubscription. No bytes at all are no partitions: what an assignor gives a member it has nothing for.
std::optional<std::vector<TopicPartition>> ReadAssignment(std::string_view bytes);

}  // namespace millrace::kafka
