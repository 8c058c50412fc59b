// Collecting what a log has given up, at once and by itself: what its upkeep does in its own time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine_state.h"
#include "env/random.h"
#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

struct CollectionOptions {
  bool dry_run = false;  // says what is due, and changes nothing
  std::optional<std::chrono::milliseconds> time_max = {};
  Background background = Background::kThreads;
  std::shared_ptr<Random> random = {};  // none: the machine's
};

struct CollectionReport {
  std::string home;
  std::uint64_t deleted = 0;
  std::vector<ObjectRow> due;  // given up, past their grace, and still there: all if dry, else what was refused
  std::uint64_t waiting = 0, waiting_bytes = 0;  // given up, and within their grace
  std::int64_t next_due_ms = 0;                  // when the first of these is due; 0: there is none
  std::uint64_t under_way = 0;                   // attempts that are not decided
  std::uint64_t snapshots = 0;                   // were put, to vouch for what was deleted
  std::optional<Error> failure;                  // the first one met: of a snapshot, or of a refused deletion
  bool finished = true;                          // false: the time was over and more is due
};

/// Errors: as Engine::Open, and those of metadata. What the store refuses is no error: it is told in `failure`, and
/// everything else goes. Cost: a snapshot, a look at the claims, and a request for each 1,000 objects.
Result<CollectionReport> CollectLog(EngineOptions options, const CollectionOptions& collection);

}  // namespace millrace
