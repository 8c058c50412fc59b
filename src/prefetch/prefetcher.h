// Bytes that sequential readers are about to want, asked for ahead of them: through the same flights and the same
// request as a reader's own, across segments, under the window of each stream and the memory budget of all reads.
//
//   reader ──Advance──► plan: chunks up to a window ahead ──► queue ──FetchOnce, by a pool of threads──► ArrivingChunks
//
// Errors end here: a chunk that could not be fetched ahead is one the reader fetches itself. What arrived and is not
// read any more goes when the stream is cancelled, idles, or a reader needs its memory.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "base/mutex.h"
#include "cache/chunk.h"
#include "cache/opened_block.h"
#include "fetch/arriving_chunks.h"
#include "fetch/fetch_context.h"
#include "fetch/read_memory.h"
#include "millrace/metadata_store.h"
#include "millrace/types.h"
#include "prefetch/read_stream.h"

namespace millrace {

class ThreadPool;

struct PrefetcherOptions {
  /// Started with the first stream; 0: the owner calls FetchOnce.
  std::size_t threads = 16;
};

/// Safe from any thread. Outlives the readers of its context.
class Prefetcher {
 public:
  static constexpr std::chrono::nanoseconds kIdleMax = std::chrono::seconds(10);
  /// A stream whose reader has not moved for so long stands: others are not held back for its sake.
  static constexpr std::chrono::nanoseconds kMovesWithin = std::chrono::milliseconds(100);

  Prefetcher(FetchContext& context, const PrefetcherOptions& options);
  ~Prefetcher();
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// The stream's reader is about to use blocks `wanted` of a segment, fetching what is not there itself: what follows
  /// them is asked for. No I/O.
  void Advance(const std::shared_ptr<ReadStream>& stream, const SegmentRow& row,
               const std::shared_ptr<const OpenedSegment>& segment, BlockRange wanted);
  /// The reader is about to stand still at `at`: more is asked for at once, before it waits.
  void Outrun(const std::shared_ptr<ReadStream>& stream, Offset at);
  /// No reader goes on there: what is queued is not fetched, what came is dropped.
  void Cancel(const std::shared_ptr<ReadStream>& stream);
  /// The same, and what is under way for it is told to stop and has ended when this returns.
  void End(const std::shared_ptr<ReadStream>& stream);

  /// While it lives, a reader waits for `bytes` of memory: if they are not free, what came ahead is dropped.
  class Yielding {
   public:
    Yielding(Prefetcher& prefetcher, std::uint64_t bytes);
    ~Yielding();
    Yielding(const Yielding&) = delete;
    Yielding& operator=(const Yielding&) = delete;

   private:
    Prefetcher& prefetcher_;
    bool yields_ = false;
  };

  /// One request of the queue, or one segment opened. False: the queue is empty, or there is no memory for more.
  bool FetchOnce();
  /// Lets go of what came for streams without a read for kIdleMax, so that a quiet engine holds nothing.
  void DropIdle();
  /// Refuses more, tells requests under way to stop, waits for them, and lets go of everything. May be called again.
  void Close();

 private:
  using StreamPointer = std::shared_ptr<ReadStream>;
  struct Task {
    StreamPointer stream;
    ReadStream::Segment segment;
    std::vector<BlockRange> chunks;  // none: open the segment behind this one
    std::vector<std::uint64_t> tickets;
  };
  struct Running {
    const ReadStream* stream = nullptr;
    std::stop_source stop;
  };
  struct Released {
    ChunkKey key;
    ArrivingChunks::Hold hold;
  };
  using Holds = std::vector<Released>;

  void Plan(const StreamPointer& stream) MR_REQUIRES(mutex_);
  void PlanAgain(const StreamPointer& stream) MR_REQUIRES(mutex_);
  bool AskForNextRequest(const StreamPointer& stream) MR_REQUIRES(mutex_);
  static void NoLongerComes(ReadStream& stream, ReadStream::Asked& chunk);
  void OpenNext(const StreamPointer& stream) MR_REQUIRES(mutex_);
  [[nodiscard]] bool IsNear(const ReadStream::Segment& segment, BlockRange chunk) const;
  bool OthersAsked(const ReadStream& stream, const ChunkKey& key, ArrivingChunks::Hold& hold) MR_REQUIRES(mutex_);
  [[nodiscard]] bool Stands(const ReadStream& stream) const MR_REQUIRES(mutex_);
  [[nodiscard]] std::uint64_t Share(const ReadStream& stream) const MR_REQUIRES(mutex_);
  bool TakeBackFor(const StreamPointer& stream) MR_EXCLUDES(mutex_);
  void Drop(ReadStream& stream, Holds& holds) MR_REQUIRES(mutex_);
  void Deactivate(const StreamPointer& stream, Holds& holds) MR_REQUIRES(mutex_);
  void DeactivateIdle(std::chrono::nanoseconds now, Holds& holds) MR_REQUIRES(mutex_);
  void LetGo(Holds holds);
  void StopRunning(const ReadStream* stream) MR_EXCLUDES(mutex_);
  void WakePool() MR_EXCLUDES(mutex_);

  void FetchNext(const Task& task);
  bool FetchChunks(const Task& task);
  void Postpone(const Task& task);
  /// True: the chunk is still wanted and nowhere, and this thread now leads it.
  bool Lead(const Task& task, std::size_t i);
  void FetchLed(const Task& task, std::vector<std::size_t>& led, std::vector<ReadMemory::Reservation>& reserved);
  /// These chunks will not come; the stream asks for less from now on.
  void GiveUp(const Task& task, std::span<const std::uint64_t> tickets);
  [[nodiscard]] ChunkKey Key(const Task& task, std::size_t i) const {
    return KeyOf(task.segment.row, *task.segment.opened, task.chunks[i]);
  }

  FetchContext& context_;
  ArrivingChunks& arriving_;
  const PrefetcherOptions options_;

  Mutex mutex_;
  CondVar idle_;
  std::deque<Task> queue_ MR_GUARDED_BY(mutex_);
  std::vector<StreamPointer> active_ MR_GUARDED_BY(mutex_);
  std::unique_ptr<ThreadPool> pool_ MR_GUARDED_BY(mutex_);
  std::vector<Running> running_ MR_GUARDED_BY(mutex_);  // calls of FetchOnce
  std::size_t yielding_ MR_GUARDED_BY(mutex_) = 0;      // readers that wait for memory
  std::size_t unannounced_ MR_GUARDED_BY(mutex_) = 0;   // tasks the pool was not told of
  std::uint64_t last_ticket_ MR_GUARDED_BY(mutex_) = 0;
  StreamWindow::Learned learned_ MR_GUARDED_BY(mutex_);  // from the streams so far
  bool closed_ MR_GUARDED_BY(mutex_) = false;
};

}  // namespace millrace
