// Removes objects that nobody refers to, in two steps with a grace between: what metadata says decides, a listing only
// proposes.
//
//   prepared, never committed ──grace──► deleting ──grace──► deleted in the store ──► forgotten
//   committed, last segment gone (by metadata) ─────┘
//   listed, unknown to metadata, older than the grace ──► prepared (and so on from the top)
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

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

  /// Abandons and deletes what is due, at most a page of each; true: there may be more. One object that cannot be
  /// deleted does not stop the others; the error is the first one met.
  Result<bool> CollectOnce();
  /// Lists the store to its end and proposes unknown objects of ours past the grace. How many. A listing that fails
  /// anywhere proposes nothing.
  Result<std::uint64_t> ProposeOrphans();

  [[nodiscard]] std::uint64_t deleted() const { return deleted_.load(std::memory_order_relaxed); }

 private:
  bool Gone(std::span<const ObjectRow> objects);
  Result<void> Delete(const ObjectRow& object);
  Result<void> Forget(const ObjectRow& object);

  const ObjectCollectorOptions options_;
  ObjectStore& objects_;
  MetadataStore& metadata_;
  Clock& clock_;
  std::atomic<std::uint64_t> deleted_{0};
};

}  // namespace millrace
