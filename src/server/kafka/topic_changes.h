// What requests ask of topics, as the log takes it: counts, settings, and what is refused before anything changes.
#pragma once

#include <cstdint>
#include <string>

#include "kafka/messages/create_topics.h"
#include "millrace/options.h"
#include "server/kafka/broker.h"

namespace millrace {

/// How one topic of a request ends.
struct TopicOutcome {
  std::int16_t code = 0;
  std::string message;

  [[nodiscard]] bool ok() const { return code == 0; }
  static TopicOutcome Of(const Error& error);
};

/// What `asked` says of a topic; `options` comes with the defaults of `broker`.
TopicOutcome ReadTopicOptions(const kafka::CreateTopicsRequest::Topic& asked, const BrokerSettings& broker,
                              TopicOptions& options);

inline constexpr std::int32_t kPartitionsMax = 100'000;  // of one topic

}  // namespace millrace
