// What an earlier process of this directory had put into the store when it died, without committing its rows: it is
// taken as it is, instead of being put again.
//
//   rows of prepared objects ─► their directories ─► chains from tiered_end on (chain_ways.h) ─► proof ─► commits
//
// The rules are those of a restore (log_linking.h), but the write-ahead log is there: nothing is taken beyond its end,
// what cannot be used is uploaded again, and there is no gap.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <vector>

#include "base/shared_call.h"
#include "meta/metadata_rows.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"
#include "tier/log_survey.h"
#include "tier/store_claim.h"
#include "tier/tiered_partition.h"
#include "tier/trusted_time.h"

namespace millrace {

/// Safe from any thread.
class ArrivedObjects {
 public:
  /// `time`: of the rows. All of them outlive it.
  ArrivedObjects(StoreClaim& claim, ObjectStore& objects, MetadataStore& metadata, TrustedTime& time);

  /// Before anything is cut for an upload: takes what is there, once, and tells the partitions; until it has succeeded,
  /// again. Errors: those of the claim, of metadata, and of the store where another attempt may help. Cost: a look at
  /// metadata; a request an object that was under way.
  Result<void> TakeOnce(TieredPartitions& partitions);
  /// Objects that were not put again.
  [[nodiscard]] std::uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  struct Arrived {
    ObjectRow row;
    FoundObject found;
  };
  struct Entry {
    const Arrived* object = nullptr;
    const ObjectEntry* entry = nullptr;
  };
  /// A partition that some of them have segments of.
  struct Going {
    TieredPartition* partition = nullptr;
    Offset at;  // where its chain goes on
    std::vector<Entry> entries;
  };
  using Partitions = std::map<PartitionKey, Going>;

  Result<bool> Take(TieredPartitions& partitions);
  Result<std::vector<Arrived>> Find();
  Result<Partitions> Sort(TieredPartitions& partitions, const std::vector<Arrived>& arrived);
  static void KeepChain(Going& going);
  Result<void> Commit(const Arrived& object, Partitions& partitions);

  StoreClaim& claim_;
  ObjectStore& objects_;
  MetadataStore& metadata_;
  TrustedTime& time_;
  SharedCall<bool> taking_;
  std::atomic<bool> done_{false};
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace millrace
