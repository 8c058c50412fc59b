// What was asked of the object store ahead of one sequential reader and no read has told of yet.
#pragma once

#include <utility>

#include "base/mutex.h"
#include "millrace/read.h"

namespace millrace {

/// Safe from any thread. A request stands here from before it is sent, so that the read that uses its bytes finds it.
class RequestsAhead {
 public:
  void Add(const ReadExplanation& request) MR_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    untold_.Add(request);
  }
  /// All of them since the last time.
  [[nodiscard]] ReadExplanation Take() MR_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return std::exchange(untold_, {});
  }

 private:
  Mutex mutex_;
  ReadExplanation untold_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
