// A log that somebody else writes, looked at in its object store: what is there, and what each look adds. Reads only,
// claims nothing.
//
//   Load   log ─► claims ─► newest snapshot ─► directories of the objects behind it ─► still the newest? else anew
//   Look   new objects ─► no claim N + 1 ─► linked          a newer snapshot, or a claim: Load
//
// What is shown is in a snapshot, or in an object that was found before a look for claim N + 1 that found none: whoever
// takes the log over lists objects after its claim, and so finds it too. Nothing that is shown is ever disowned.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "meta/home_catalog.h"
#include "millrace/object_store.h"
#include "millrace/result.h"
#include "tier/followed_catalog.h"
#include "tier/log_survey.h"
#include "tier/store_keys.h"

namespace millrace {

/// How a look goes about it: kThorough also asks whose the place is, for newer snapshots, and for every object.
enum class LookDepth { kUsual, kThorough };

/// Not thread-safe.
class FollowedLog {
 public:
  /// `objects` retries, and outlives it.
  FollowedLog(ObjectStore& objects, StoreKeys keys, std::size_t requests_at_once)
      : objects_(objects), keys_(std::move(keys)), requests_at_once_(requests_at_once) {}

  /// All of it, anew. Errors: kInvalidArgument (another log lies there, or claims were deleted), kUnsupported (no
  /// process with claims ever wrote there), kFenced (the log has moved; the error says where to), kUnavailable (the log
  /// is being taken over at this moment; it changes faster than it is read), those of the store. After an error all is
  /// as before.
  Result<FollowedNews> Load();
  /// What has come since. Errors: those of Load; what was found until then comes with the next look. Cost, if there is
  /// nothing: a list and a get, sometimes a second list; thorough: two more gets or lists, and a page of a list for
  /// each thousand objects of this generation.
  Result<FollowedNews> Look(LookDepth depth);

  /// Claimed by who writes there.
  [[nodiscard]] std::uint32_t generation() const { return known_.newest.number; }
  /// Wall time of the snapshot that it rests on; 0: there is none.
  [[nodiscard]] std::int64_t snapshot_ms() const { return known_.snapshot_ms; }
  /// How many lie behind that.
  [[nodiscard]] std::uint64_t objects() const { return known_.catalog.objects(); }

 private:
  struct Known {
    Generation newest;
    std::optional<SnapshotName> snapshot;  // the newest that was seen
    std::int64_t snapshot_ms = 0;
    FollowedCatalog catalog;
    // Of the newest generation: attempts below `undecided_from` are done with, and so are the `decided` ones.
    std::uint64_t undecided_from = 0, listed_end = 0;
    std::set<std::uint64_t> decided;
    std::vector<FoundObject> found;  // read, and not taken yet: nobody has looked for a claim since
  };
  struct Listed {
    std::string key;
    std::uint64_t size_bytes = 0;
  };

  [[nodiscard]] SurveyOptions SurveyOf() const;
  Result<FollowedNews> LoadOnce();
  Result<void> CheckWhose();
  Result<std::vector<ClaimText>> Claims();
  Result<bool> IsClaimed(std::uint32_t generation);
  Result<bool> HasNewerSnapshot();
  void TakeNumbers(const LogSurvey& found);
  FollowedNews Take(LogSurvey found);

  // What has come: true if something that was named is not there any more.
  Result<bool> FindNew(LookDepth depth);
  Result<std::map<ObjectName, Listed>> ListNew(LookDepth depth);
  Result<bool> AskForHoles(std::vector<FoundObject>& found);
  Result<bool> ReadNew(const ObjectName& name, const Listed& listed, std::vector<FoundObject>& found);

  ObjectStore& objects_;
  const StoreKeys keys_;
  const std::size_t requests_at_once_;
  Known known_;
};

}  // namespace millrace
