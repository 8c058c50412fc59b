// Going on with a log whose directory is lost, from its object store alone: what a restore, and an engine that takes
// over, do before there is anything to open.
//
//   log ─► claims ─► claim N + 1 ─► newest snapshot ─► directories of the objects behind it ─► rows ─► snapshot ─►
//   checkpoint of producers ─► marker
//
// The marker comes last: a restore that dies leaves a directory without a log, and one claim used up. The next one
// begins anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/components.h"
#include "engine/data_layout.h"
#include "env/random.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "tier/log_linking.h"
#include "tier/log_survey.h"

namespace millrace {

/// The file that is there while rows are restored.
inline constexpr std::string_view kRestoreUnfinished = "restoring";

struct RestoreOptions {
  bool dry_run = false;  // claims nothing and writes nothing
  std::size_t requests_at_once = 64;
  std::function<void(const SurveyProgress&)> on_progress;
  std::function<void(std::chrono::nanoseconds)> pause;  // between two attempts of a request; none: sleeps
  std::shared_ptr<Random> random = {};                  // of RestoreLog; none: the machine's
};

struct RestoreReport {
  std::string identity, home;
  std::uint32_t generation = 0;  // claimed by this restore; the last one found, if dry
  std::string last_host;         // of the process that wrote there last
  std::int64_t last_claim_ms = 0;
  std::int64_t snapshot_ms = 0;  // 0: there is no snapshot
  std::uint64_t topics = 0, partitions = 0, segments = 0, records = 0, bytes = 0, positions = 0;
  std::uint64_t linked = 0, unlinked = 0;  // objects behind the snapshot: used, and not
  std::uint64_t producers = 0;             // that number their batches: what they send again is known
  std::vector<LostRange> lost;
  std::vector<SurveyFinding> unusable;
};

/// Makes a directory that goes on with the log at `options.object_store`. Errors: kAlreadyExists (there is a log in the
/// directory), kNotFound (there is none in the store), kFenced (somebody else goes on with it at this moment),
/// kInvalidArgument (no store that others can reach is named; its claims were deleted), those of the stores.
Result<RestoreReport> RestoreLog(EngineOptions options, const RestoreOptions& restore);

/// The same under the directory's lock, with the machine under it.
Result<RestoreReport> RestoreInto(const EngineOptions& options, const DataLayout& layout, const Components& machine,
                                  const RestoreOptions& restore);

}  // namespace millrace
