// What a rule decides, and how it is carried out: read rows, decide, commit; another writer was first: read again; the
// answer was lost: look at what is there. Written once, for all rules.
#pragma once

#include <functional>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// All of `expected` must still be so; then all of `writes` happen. No writes: there is nothing to do.
struct Transition {
  std::vector<MetadataRow> expected;
  std::vector<MetadataWrite> writes;

  void Expect(MetadataRow row) { expected.push_back(std::move(row)); }
  void Insert(MetadataRow row) { writes.push_back({MetadataWrite::Kind::kInsert, std::move(row)}); }
  void Put(MetadataRow row) { writes.push_back({MetadataWrite::Kind::kPut, std::move(row)}); }
  void Erase(MetadataRow row) { writes.push_back({MetadataWrite::Kind::kErase, std::move(row)}); }
};

/// Whether an earlier attempt of the same call may have happened although the store did not say so.
enum class EarlierAttempt { kNone, kUnknown };

/// Reads rows and decides on them. Its errors end the call.
using TransitionPlan = std::function<Result<Transition>(EarlierAttempt)>;

/// Carries a plan out, once. A commit of unknown outcome is looked up by the keys it wrote: as written, it happened;
/// otherwise the plan decides anew on what is there by now. Errors: those of the plan; those of the store (whether it
/// happened is then unknown unless the code is kClosed, kInvalidArgument or kCorruption); kUnavailable: the rows kept
/// changing. Cost: the plan's reads and one commit, more only against other writers.
Result<void> CarryOut(MetadataStore& store, const TransitionPlan& plan);

}  // namespace millrace
