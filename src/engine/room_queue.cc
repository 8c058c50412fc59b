#include "engine/room_queue.h"

#include <algorithm>
#include <utility>

#include "base/deadline.h"
#include "engine/engine_state.h"

namespace millrace {
namespace {

/// How long the thread waits for room between looks whether it shall end.
constexpr std::chrono::milliseconds kLook{100};
/// Far more than a server keeps requests for; the next one is told at once that there is no room.
constexpr std::size_t kWaitingMax = 1 << 16;

}  // namespace

RoomQueue::~RoomQueue() {
  std::unique_ptr<ThreadPool> thread;
  {
    MutexLock lock(mutex_);
    thread = std::move(thread_);
  }
  if (thread) thread->Close();
}

void RoomQueue::Add(std::uint64_t bytes, Done done) {
  if (!options_.threads) return Serve({}, {bytes, std::move(done)});
  const auto waiting = std::make_shared<Waiting>(bytes, std::move(done));
  Result<void> queued;
  {
    MutexLock lock(mutex_);
    if (!thread_) {
      auto started = ThreadPool::Start({.threads = 1, .queue_max = kWaitingMax});
      if (started) {
        thread_ = *std::move(started);
      } else {
        queued = started.error();
      }
    }
    if (queued)
      queued = thread_->TrySubmit([this, waiting](const std::stop_token& stop) { Serve(stop, std::move(*waiting)); });
  }
  if (!queued) waiting->done(queued);
}

void RoomQueue::Serve(const std::stop_token& stop, Waiting waiting) {
  const Result<void> room = Await(stop, waiting.bytes);
  waiting.done(room);
}

/// In short waits, so that neither Close nor the destructor waits for a long one.
Result<void> RoomQueue::Await(const std::stop_token& stop, std::uint64_t bytes) {
  const Error refusal(ErrorCode::kUnavailable, "the WAL has no room at the moment");
  std::chrono::nanoseconds patience = options_.wait_max;
  while (true) {
    const CallGate::Pass pass(&calls_);
    if (!pass || stop.stop_requested()) return ClosedError();
    const std::chrono::nanoseconds wait = std::min<std::chrono::nanoseconds>(patience, kLook);
    auto room = appender_.AwaitRoom(refusal, bytes, DeadlineAfter(clock_.Monotonic(), wait));
    if (room) return room;
    patience -= wait;
    const bool later = room.error().code() == ErrorCode::kOutOfSpace || room.error().code() == ErrorCode::kTimeout;
    if (!later || patience <= patience.zero()) return room;
  }
}

}  // namespace millrace
