// What a partition's log is told when it is made.
#pragma once

#include <atomic>
#include <limits>

#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "millrace/types.h"
#include "wal/wal.h"

namespace millrace {

class ProducerStateTable;
class WalIndexBudget;

struct PartitionLogOptions {
  PartitionKey key;
  TopicPartition name;  // for errors
  WalStream stream;
  SyncPolicy sync;                          // decides the visible end
  WalIndexBudget* index_budget = nullptr;   // shared by all logs, outlives them; none: no bound
  ProducerStateTable* producers = nullptr;  // ditto; none: producers' ids mean nothing
  /// No offset at or past it is given: whoever goes on with the log after the loss of this disk begins there.
  /// PartitionLog::RaiseCeiling raises it.
  Offset ceiling{std::numeric_limits<Offset::rep>::max()};
  std::atomic<bool>* ceiling_met = nullptr;  // set when an append is refused for it; outlives the log
};

}  // namespace millrace
