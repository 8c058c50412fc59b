// Removes objects that no segment refers to, in two steps with a grace between: metadata decides, a listing only
// proposes.
//
//   prepared, never committed ──grace──► deleting ──grace, vouched──► deleted in the store ──► forgotten
//   committed, last segment gone (by metadata) ─────┘
//   listed, unknown to metadata, older than the grace ──► prepared (and so on from the top)
//
// Vouched: where others can take the log over, a snapshot that was begun after the object was given up has been put,
// and nobody had taken the log over by then. So who goes on with it refers to nothing that is deleted.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "meta/refused_deletions.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"

namespace millrace {

class LogSnapshots;
class StoreClaim;

struct ObjectCollectorOptions {
  std::chrono::milliseconds delete_grace{0};
  /// Longer than any upload takes: a prepared object younger than this may still be committed.
  std::chrono::milliseconds prepared_grace = std::chrono::minutes(10);
};

/// Safe from any thread: two that collect the same object do no harm.
class ObjectCollector {
 public:
  /// All of them outlive it.
  ObjectCollector(const ObjectCollectorOptions& options, StoreClaim& claim, LogSnapshots& snapshots,
                  ObjectStore& objects, MetadataStore& metadata, Clock& clock);

  /// First: what an earlier process was refused. Errors: those of metadata.
  Result<void> Load();

  struct Step {
    bool more = false;             // there may be, of what can be tried now
    std::optional<Error> failure;  // the first one met
  };
  /// Abandons and deletes what is due, at most a page of each, and ends early when the caller's RequestScope or a few
  /// seconds are over. One object that cannot be deleted does not stop the others: it goes to the back, and is tried
  /// again after pauses that grow.
  Step CollectStep();
  /// The same; an error is its failure, true: there may be more.
  Result<bool> CollectOnce();
  /// Lists a page of the store; after the last one proposes unknown objects of ours past the grace. True: there are
  /// more pages. A listing that fails anywhere proposes nothing, and begins again.
  Result<bool> ListOnce();
  /// A whole listing at once. How many were proposed.
  Result<std::uint64_t> ProposeOrphans();

  /// Objects that could not be deleted and wait for another try.
  [[nodiscard]] std::size_t refused() const;
  /// The same with those of earlier processes, until this one has tried them all.
  [[nodiscard]] RefusedDeletions undeletable() const;
  [[nodiscard]] std::uint64_t deleted() const { return deleted_.load(std::memory_order_relaxed); }

 private:
  struct Refused {
    std::uint32_t tries = 0;
    std::chrono::nanoseconds retry_at{};
  };
  struct Listing {
    std::string continuation;
    std::vector<ObjectRow> proposals;
  };
  Result<std::vector<ObjectRow>> Deletable(std::int64_t changed_before_ms, bool& more);
  Result<void> Vouch(std::span<const ObjectRow> objects);
  bool Gone(std::span<const ObjectRow> objects);
  Result<void> Delete(const ObjectRow& object);
  Result<void> Forget(const ObjectRow& object);
  void Refuse(const ObjectId& id, const Error& error);
  void KeepRefused(bool all_tried);
  Result<void> ListPage(Listing& listing);
  Result<std::uint64_t> Propose(std::vector<ObjectRow> orphans);

  const ObjectCollectorOptions options_;
  StoreClaim& claim_;
  LogSnapshots& snapshots_;
  ObjectStore& objects_;
  MetadataStore& metadata_;
  Clock& clock_;
  std::atomic<std::uint64_t> deleted_{0};
  mutable Mutex mutex_;
  std::map<ObjectId, Refused> refused_ MR_GUARDED_BY(mutex_);
  std::set<ObjectId> vouched_ MR_GUARDED_BY(mutex_);  // given up before the last snapshot was begun
  Listing listing_ MR_GUARDED_BY(mutex_);
  RefusedDeletions told_ MR_GUARDED_BY(mutex_), kept_ MR_GUARDED_BY(mutex_);  // now, and in metadata
};

}  // namespace millrace
