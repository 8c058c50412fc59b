// What lies in an object store of a log whose metadata is not at hand: its claims, its newest snapshot that can be
// read, and the directories of all objects that the snapshot does not decide. Looks only.
//
// A listing is never believed to be whole: it only adds. Numbers of attempts follow each other without a hole, so each
// one that a listing leaves out is asked for by its key, and some behind the last one too.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "meta/home_catalog.h"
#include "millrace/clock.h"
#include "millrace/object_store.h"
#include "millrace/result.h"
#include "segment/object_directory.h"
#include "tier/claim_text.h"
#include "tier/found_producers.h"
#include "tier/snapshot_format.h"
#include "tier/store_keys.h"

namespace millrace {

struct FoundObject {
  ObjectName name;
  std::string key;
  std::uint64_t size_bytes = 0;
  ObjectDirectory directory;
};

/// What cannot be used, named.
struct SurveyFinding {
  std::string key;
  Error error;
};

struct LogSurvey {
  LogText log;
  std::vector<ClaimText> claims;  // by number
  std::optional<Snapshot> snapshot;
  std::optional<SnapshotName> newest_snapshot;  // seen, be it usable or not
  std::vector<FoundObject> objects;             // by name; those that the snapshot decides are not among them
  FoundProducers producers = {};                // of snapshot and objects, whose directories have no shares any more
  std::vector<SurveyFinding> unusable;
  std::uint64_t snapshot_bytes = 0, listed = 0;
  /// Its owner handed the log over: the newest snapshot, if it is of this generation, knows all that was ever given.
  std::optional<Generation> released = {};

  /// The generation held last.
  [[nodiscard]] Generation newest() const;
};

struct SurveyProgress {
  std::uint64_t done = 0, all = 0;  // objects whose directories are read
};

struct SurveyOptions {
  std::string key_prefix;
  std::size_t requests_at_once = 1;
  /// The log's owner goes on meanwhile: what a listing lacks may have come after it, and is taken. Otherwise it is a
  /// reason to refuse the survey. Producers are not looked for: they go on there.
  bool beside_owner = false;
  std::function<void(const SurveyProgress&)> on_progress;  // from any thread, one call at a time
};

/// Whose log lies there. kNotFound: none does.
Result<LogText> ReadLogText(ObjectStore& objects, const std::string& key_prefix);

/// The claims of the log, by number: from that of the oldest snapshot kept on, or all if there is none. Where the log
/// came from elsewhere they begin with the claim that says so.
/// kInvalidArgument: one of them is missing.
Result<std::vector<ClaimText>> ReadClaims(ObjectStore& objects, const SurveyOptions& options, const StoreKeys& keys);

/// The newest snapshot that a listing names; none: it names none.
Result<std::optional<SnapshotName>> NewestSnapshot(ObjectStore& objects, const StoreKeys& keys);

/// Snapshot and objects of a log whose claims are `claims`. Errors: kUnavailable (a listing does not name what is
/// there, or no answer), those of the store. What is damaged is no error: it is told in `unusable`.
Result<LogSurvey> SurveyLog(ObjectStore& objects, const SurveyOptions& options, const LogText& log,
                            std::vector<ClaimText> claims);

}  // namespace millrace
