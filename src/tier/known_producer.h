// A producer that numbers its batches, as snapshots tell of it.
#pragma once

#include <cstdint>

#include "millrace/metadata_store.h"
#include "record/producer_window.h"

namespace millrace {

struct KnownProducer {
  PartitionKey partition;
  std::int64_t touched_ms = 0;  // when it was last heard of, by the log's trusted time
  ProducerWindow window;
  friend bool operator==(const KnownProducer&, const KnownProducer&) = default;
};

}  // namespace millrace
