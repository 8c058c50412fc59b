// Letting a data directory go on that was copied, or moved by its files.
#pragma once

#include <string>

#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// This directory is the one that writes to the log's object store from now on: with its next write it claims the next
/// generation, and whichever directory it was copied from is fenced. Whether the log has gone on elsewhere meanwhile is
/// told at that write, not here. True: it was taken for a copy until now. Errors: kNotFound (no log), kUnavailable
/// (held by a process), kFenced (an earlier write has found out that the log went on elsewhere).
Result<bool> TakeOverDirectory(EngineOptions options);

struct AdoptReport {
  std::string home;            // of the log from now on
  bool was_elsewhere = false;  // it had another address until now
  bool was_taken_for_copy = false;
};
/// `options.object_store`, if it is not empty, is the log's home under a new address, and is remembered.
/// kThisDirectory: the directory was taken for a copy and is none: it goes on, if its claim is still the last one in
/// the store. kLook: says what would be done. Errors: kNotFound (no log), kUnavailable (held by a process, or no answer
/// of the store), kInvalidArgument (another place), kFenced (the log went on elsewhere).
enum class AdoptMode { kLook, kChange };
enum class AdoptScope { kAddress, kThisDirectory };
Result<AdoptReport> AdoptDirectory(EngineOptions options, AdoptScope scope, AdoptMode mode);

}  // namespace millrace
