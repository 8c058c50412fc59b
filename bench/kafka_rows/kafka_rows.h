// The rows of the wire, by what they need.
#pragma once

#include "bench/harness/suite.h"
#include "bench/wire/server_process.h"

namespace millrace::bench {

inline constexpr const char* kTopic = "t";

/// Acknowledgements and large batches; `kafka` may be null.
void ProduceRows(Suite& suite, const ServerProcess* kafka);
/// History and tail.
void ConsumeRows(Suite& suite);
/// From a producer to consumers that wait.
void DeliveryRows(Suite& suite);
/// Many partitions, many connections, start and memory.
void ScaleRows(Suite& suite);

}  // namespace millrace::bench
