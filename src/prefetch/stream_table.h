// Where recent reads of one partition ended: a read that begins there goes on, and its stream with it. What makes a
// reader sequential is where it reads, not a handle it holds.
#pragma once

#include <cstddef>
#include <list>
#include <memory>

#include "base/mutex.h"
#include "millrace/types.h"

namespace millrace {

class Prefetcher;
struct ReadStream;

/// Safe from any thread. The oldest of kStreamsMax gives way.
class StreamTable {
 public:
  static constexpr std::size_t kStreamsMax = 64;

  /// `prefetcher` (outlives it, or is closed first); null: it tells who goes on, and there are no streams.
  explicit StreamTable(Prefetcher* prefetcher) : prefetcher_(prefetcher) {}
  ~StreamTable();

  struct Found {
    std::shared_ptr<ReadStream> stream;
    bool goes_on = false;  // some read ended here
  };
  /// Takes out the stream that goes on at `begin`, so that each has one reader at a time.
  Found Take(Offset begin);
  /// Its reader went as far as `next`.
  void Put(Offset next, std::shared_ptr<ReadStream> stream);
  /// The reader that stopped at `at` will go on at `next`: it took fewer records than were read.
  void Move(Offset at, Offset next);
  /// No reader goes on at `at`.
  void Abandon(Offset at);

 private:
  struct Entry {
    Offset next;
    std::shared_ptr<ReadStream> stream;  // none: it has not gone on yet
  };

  Prefetcher* const prefetcher_;
  Mutex mutex_;
  std::list<Entry> entries_ MR_GUARDED_BY(mutex_);  // the newest first
};

}  // namespace millrace
