// What a partition's log is told when it is made.
#pragma once

#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "millrace/types.h"
#include "wal/wal.h"

namespace millrace {

class WalIndexBudget;

struct PartitionLogOptions {
  PartitionKey key;
  TopicPartition name;  // for errors
  WalStream stream;
  SyncPolicy sync;                         // decides the visible end
  WalIndexBudget* index_budget = nullptr;  // shared by all logs, outlives them; none: no bound
};

}  // namespace millrace
