// Which of several tellings of a topic's settings came last: of a snapshot, and of the objects around it. Directories
// tell the settings as they were when their object was described, and objects that are under way side by side arrive
// in any order: one of them may have been described before a change that the snapshot, or another object, knows.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>

#include "millrace/metadata_store.h"
#include "tier/log_survey.h"
#include "tier/snapshot_format.h"

namespace millrace {

/// Not thread-safe. Memory: topics, and the objects that the snapshot leaves open.
class ToldSettings {
 public:
  /// First, if there is one: it tells of all topics.
  void TakeSnapshot(const Snapshot& snapshot);
  /// Whether `object` tells the settings of `topic` as late as all that was taken before it, or later: then it is what
  /// counts from now on. Not if the snapshot names it, which then read the topics' rows after it. Else by generation;
  /// within one of them by the times of its one process, which go forward only. Equal ones: true.
  bool IsNewest(const FoundObject& object, TopicId topic);

 private:
  struct Age {
    std::uint32_t generation = 0;
    std::int64_t written_ms = 0;
    friend auto operator<=>(const Age&, const Age&) = default;
  };
  Age snapshot_;
  std::set<ObjectId> named_;       // by the snapshot, and undecided there
  std::map<TopicId, Age> newest_;  // of objects
};

}  // namespace millrace
