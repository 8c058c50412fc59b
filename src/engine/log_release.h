// Handing a log over by its owner's will: all of it goes to the object store, and the claims say so. Who restores it
// then, elsewhere, lacks nothing and leaves no gap; the directory writes nothing any more.
//
//   upload ─► parting begun (nothing is appended from here on, also after a crash) ─► claim "releases" ─► snapshot,
//   proven ─► parting done
//
// A release that dies is made again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/engine_state.h"
#include "env/random.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

struct ReleaseOptions {
  bool dry_run = false;  // tells what would have to be uploaded, and changes nothing
  Background background = Background::kThreads;
  std::shared_ptr<Random> random = {};  // none: the machine's
};

struct ReleaseReport {
  std::string identity, home;
  std::uint32_t generation = 0;     // that says so; 0: dry
  std::uint64_t pending_bytes = 0;  // were not in the object store yet
  std::uint64_t topics = 0, partitions = 0, cursors = 0;
  bool already = false;  // nothing was to be done
};

/// Errors: as Engine::Open, and of the upload; kInvalidArgument (the objects lie in the directory itself), kFenced (the
/// log went on elsewhere), kCorruption (a partition is broken, or has a damaged range that was met and recorded:
/// again).
Result<ReleaseReport> ReleaseLog(EngineOptions options, const ReleaseOptions& release);

}  // namespace millrace
