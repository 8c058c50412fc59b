// Errors as the Kafka protocol numbers them.
#pragma once

#include "millrace/result.h"

namespace millrace {

/// The number that a client of the protocol would see for it.
int KafkaCodeOf(ErrorCode code);

}  // namespace millrace
