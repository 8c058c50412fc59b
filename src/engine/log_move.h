// Taking a log to another object store, or another prefix, while no engine holds it.
//
//   `log` at the new place ─► objects, copied and checked ─► parting begun (nothing is appended any more) ─► snapshot
//   and claim "comes from" at the new place ─► claim "moved to" at the old one ─► home: the new place, parting over
//
// What the new place has is the progress: a move that dies is made again, and copies what is missing. Both claims have
// one number and one nonce, which are pending in metadata before the first is put. From the first claim on a restore
// has all of the log, from either place until the last step says that it is over there. The old place keeps what lies
// in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "env/random.h"
#include "millrace/object_store.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

struct MoveProgress {
  std::uint64_t done = 0, all = 0, bytes = 0;  // objects looked at, of all; bytes copied
};

struct MoveOptions {
  std::string to;        // the URL of the new home
  bool dry_run = false;  // tells what would be copied, and puts nothing
  std::function<void(const MoveProgress&)> on_progress = {};
  // For tests: the store that `to` names, the machine's randomness, what lets time pass.
  std::shared_ptr<ObjectStore> to_objects = {};
  std::shared_ptr<Random> random = {};
};

struct MoveReport {
  std::string identity, from, to;
  std::uint32_t generation = 0;                // claimed at the new place; 0: dry
  std::uint64_t objects = 0, bytes = 0;        // that the log needs
  std::uint64_t copied = 0, copied_bytes = 0;  // by this call; dry: would be
  std::vector<std::string> missing;            // keys that the old place has not
  std::vector<std::string> damaged;            // keys whose damage came along
  bool already = false;                        // the log lives there
};

/// Errors: as ClosedLog::Open; kInvalidArgument (a bad URL, or the same place), kAlreadyExists (another log is there,
/// or this one was, earlier), kUnsupported (no claim can rest on the new place), kFenced (the log went on elsewhere, or
/// is being released or moved to another place), those of the stores. Cost: one read and one put for each object, a
/// listing of the new place, one snapshot, some small requests.
Result<MoveReport> MoveLog(EngineOptions options, const MoveOptions& move);

}  // namespace millrace
