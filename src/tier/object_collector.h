// Removes objects that no segment refers to, in two steps with a grace between: metadata decides, a listing only
// proposes.
//
//   prepared, never committed ──grace──► deleting ──grace──► deleted in the store ──► forgotten
//   committed, last segment gone (by metadata) ─────┘
//   listed, unknown to metadata, older than the grace ──► prepared (and so on from the top)
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/metadata_store.h"
#include "millrace/object_store.h"
#include "millrace/result.h"

namespace millrace {

struct ObjectCollectorOptions {
  std::string key_prefix;
  std::chrono::milliseconds delete_grace{0};
  /// Longer than any upload takes: a prepared object younger than this may still be committed.
  std::chrono::milliseconds prepared_grace = std::chrono::minutes(10);
};

/// Safe from any thread: two that collect the same object do no harm.
class ObjectCollector {
 public:
  ObjectCollector(const ObjectCollectorOptions& options, ObjectStore& objects, MetadataStore& metadata, Clock& clock);

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
  bool Gone(std::span<const ObjectRow> objects);
  Result<void> Delete(const ObjectRow& object);
  Result<void> Forget(const ObjectRow& object);
  void Refuse(const ObjectId& id);
  Result<void> ListPage(Listing& listing);
  Result<std::uint64_t> Propose(std::vector<ObjectRow> orphans);

  const ObjectCollectorOptions options_;
  ObjectStore& objects_;
  MetadataStore& metadata_;
  Clock& clock_;
  std::atomic<std::uint64_t> deleted_{0};
  mutable Mutex mutex_;
  std::map<ObjectId, Refused> refused_ MR_GUARDED_BY(mutex_);
  Listing listing_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
