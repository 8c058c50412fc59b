// Near objects read one block after the other: while a reader works on what it has, one thread puts the blocks that
// come next into the block cache, checked. (Far objects have the Prefetcher, which hides the store's delay and not our
// work.)
//
//   read, ends at block n ──► Warm(n) ──► the thread: blocks n.. ──► block cache ◄── next read
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <stop_token>

#include "base/mutex.h"
#include "cache/chunk.h"
#include "cache/opened_block.h"
#include "millrace/metadata_store.h"
#include "read/read_context.h"

namespace millrace {

class SegmentMap;
class ThreadPool;

struct BlockWarmerOptions {
  std::uint64_t cache_bytes_max = 0;  // what the block cache holds: a reader's window is at most a quarter of it
};

/// Safe from any thread. A reader never waits for it unless the block it wants is being read at that moment.
class BlockWarmer {
 public:
  /// Its thread starts when it is first needed. `context` outlives it.
  BlockWarmer(ReadContext& context, const BlockWarmerOptions& options);
  ~BlockWarmer();

  /// A sequential reader goes on at block number `first` of the segment, about `bytes` a read. Does nothing if enough
  /// is cached. What the thread does not come to in time, the reader reads for itself. `segments` outlives this. No
  /// I/O.
  void Warm(SegmentMap& segments, const SegmentRow& row, const std::shared_ptr<const OpenedSegment>& segment,
            std::size_t first, std::uint64_t bytes);
  /// Waits for the thread; nothing is warmed any more.
  void Close();

 private:
  /// Where a reader goes on.
  struct Wish {
    SegmentMap* segments = nullptr;
    SegmentRow row;
    std::shared_ptr<const OpenedSegment> segment;
    std::size_t first = 0;
    std::uint64_t bytes = 0;   // a read
    std::size_t done_end = 0;  // blocks below were seen to, whatever has become of them
  };
  /// What is missing of the `reads` reads behind the reader, as much as one request takes; empty if nothing is.
  [[nodiscard]] BlockRange Missing(const Wish& wish, std::uint64_t reads) const;
  void Work(const std::stop_token& stop);

  ReadContext& context_;
  const std::uint64_t window_bytes_max_;
  Mutex mutex_;
  std::unique_ptr<ThreadPool> thread_ MR_GUARDED_BY(mutex_);
  std::deque<Wish> wishes_ MR_GUARDED_BY(mutex_);  // one a segment, the oldest first
  bool working_ MR_GUARDED_BY(mutex_) = false, closed_ MR_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
