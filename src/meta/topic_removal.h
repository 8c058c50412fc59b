// What is left of a topic that is gone, removed in steps: each a transaction of its own, so that no other caller waits
// for a topic of many segments. A row of `removals` says that something is left; a crash between two steps costs
// nothing.
#pragma once

#include "meta/topic_rules.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"

namespace millrace {

/// Segments that one transaction removes: a few megabytes of pages, since each object's row lies on a page of its own.
inline constexpr std::size_t kSegmentsAtOnce = 250;
/// And rows of epochs, which lie side by side.
inline constexpr std::size_t kEpochsAtOnce = 10'000;

/// Between two transactions of one call. A thread that gives a mutex back and takes it at once keeps out callers that
/// wait for it; this lets them have it first.
void LetOthersIn();

class TopicRemoval {
 public:
  TopicRemoval(MetadataStore& store, TopicId topic) : store_(store), topic_(topic) {}

  /// What the next step removes: segments first, then epochs, then positions.
  Result<TopicRemains> Look();
  /// One step. False: nothing is left, or its removal is not noted.
  Result<bool> Step();
  /// Steps until nothing is left or one fails; what is left then is taken up by a later call.
  void Finish();

 private:
  MetadataStore& store_;
  const TopicId topic_;
  PositionKey from_, looked_to_;  // positions before `from_` are of other topics, or removed
};

/// One step of whatever removal was left by a crash or a failure. Success if there is none.
Result<void> ResumeRemoval(MetadataStore& store);

}  // namespace millrace
