// Errors as the Kafka protocol numbers them, and as Millrace names them. The table is src/kafka/error_codes.txt; the
// numbers have names in kafka::code.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kafka/messages/codes.h"
#include "millrace/result.h"

namespace millrace {

/// The number that a client of the protocol would see for it.
int KafkaCodeOf(ErrorCode code);

namespace kafka {

/// The row of a code, or nullptr for a number that Kafka does not use.
const CodeRow* FindCode(std::int16_t code);

/// What a caller of ours is told when a server answered `code`, which is not 0. The message is `what`, the code's name
/// and its meaning; it may be retried if Kafka's own clients would. A number that is not known is kInternal.
Error ErrorOfCode(std::int16_t code, std::string_view what);

}  // namespace kafka
}  // namespace millrace
