// Tells the program what happens in the background, through EngineOptions::on_event.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/events.h"

namespace millrace {

/// Safe from any thread. The sink runs on the caller's thread, under no lock of ours; what it throws is lost.
class Events {
 public:
  Events(EventSink sink, Clock& clock) : sink_(std::move(sink)), clock_(clock) {}

  /// At most one a minute of a kind and partition gets through. kUploadsResumed gets through once after each
  /// kUploadFailing that did, so that who heard of the trouble hears of its end.
  void Tell(Event event);
  /// For what is noticed under a lock: it is told by the next TellQueued.
  void Queue(Event event);
  void TellQueued();

 private:
  using Key = std::tuple<EventKind, std::string, PartitionId>;
  [[nodiscard]] bool MayPass(const Event& event);

  const EventSink sink_;
  Clock& clock_;
  Mutex mutex_;
  std::map<Key, std::chrono::nanoseconds> told_ MR_GUARDED_BY(mutex_);
  std::vector<Event> queued_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
