// Load as a program makes it that uses the most common client library: records go in one by one, librdkafka makes the
// batches and keeps the requests in flight.
#pragma once

#include <cstddef>
#include <string_view>

#include "bench/harness/payloads.h"
#include "bench/kafka_rows/load.h"
#include "bench/wire/server_process.h"

namespace millrace::bench {

/// Records of `payloads` into partition 0 for about `seconds`, in batches of at most `batch_bytes`, acks = all. One
/// request of the cost is one record, `bytes` are those of the values. Ends the program if a record is not delivered.
Cost ProduceByLibrdkafka(const ServerProcess& server, std::string_view topic, const Payloads& payloads,
                         std::size_t batch_bytes, double seconds);

}  // namespace millrace::bench
