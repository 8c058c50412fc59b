// What goes wrong (or right again) in the background, where no call returns it: handed to EngineOptions::on_event.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "millrace/result.h"
#include "millrace/types.h"

namespace millrace {

enum class EventKind {
  kUploadFailing,      // the first failure of a row, then one a minute while it lasts
  kUploadsResumed,     // the next success after kUploadFailing
  kDamageFound,        // damage() of the error has place and range
  kPartitionBroken,    // a partition could not be recovered: its calls answer with the error
  kCacheDisabled,      // the disk cache gave up; reads go to the store
  kPositionCorrected,  // a stored position lay outside the log and was moved into it
  kClockDoubted,       // the wall clock jumped: retention by age waits
  kUpkeepFailing,      // retention, collection or deletion of objects
  kLogFenced,          // the log went on elsewhere: this directory writes nothing any more
  kFollowFailing,      // a log that is read from its object store alone: what is new there is not seen
};

struct Event {
  EventKind kind = EventKind::kUploadFailing;
  std::string message;         // one sentence for people
  std::optional<Error> error;  // the cause, if it is one
  TopicPartition partition;    // empty topic: of the whole engine
};

/// Runs on threads of the engine, under none of its locks, at most once a minute for a kind and partition. It must not
/// block and must not close the engine; it may call Stats and DescribeTopics.
using EventSink = std::function<void(const Event&)>;

/// Something that fails in the background and is tried again.
struct BackgroundFailure {
  Error error;                // the last one
  std::int64_t since_ms = 0;  // wall time of the first of the row
  std::uint64_t times = 0;    // in a row
};

}  // namespace millrace
