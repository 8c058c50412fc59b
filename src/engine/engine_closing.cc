// How an engine ends: calls under way end with an error, what is staged is synced, and a note for the next opening is
// written behind it.
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/engine_state.h"
#include "env/thread_pool.h"
#include "log/partition_snapshot.h"

namespace millrace {

Engine::State::~State() {
  MR_CHECK(!calls_->ThisThreadIsInside());  // an engine is not destroyed by one of its own callbacks
  (void)Close();
}

/// What the WAL holds of every partition. None: of one of them only the frames can tell.
std::optional<std::vector<std::byte>> Engine::State::CloseNote() const {
  if (epochs_owed_) return std::nullopt;  // the next opening raises them
  std::vector<std::byte> note;
  if (const auto producers = ProducersInNote()) EncodePartitionSnapshot(*producers, note);
  for (Topic* topic : registry_.Topics()) {
    for (Partition* partition : topic->partitions()) {
      const auto run = partition->log().TakeSnapshot();
      if (!run) return std::nullopt;
      MR_CHECK(run->end == partition->log().offsets().log_end, run->end.value());
      if (!run->index.empty()) EncodePartitionSnapshot(*run, note);
    }
  }
  return note;
}

/// Every wait ends: for records, for objects and the store, for room. Then the last call is waited for.
void Engine::State::EndCalls(const Error& error) {
  calls_->Shut();
  stop_.request_stop();
  housekeeper_.RequestStop();
  {
    MutexLock topics(topics_mutex_);  // a change of topics under way ends before its partitions are; no other begins
  }
  consumers_.End(error);
  for (Topic* topic : registry_.TopicsEver())
    for (Partition* partition : topic->partitions()) partition->End(error);
  uploader_.schedule().Close(error);
  appender_.async().EndWaits();
  wal_.StopStaging();  // and appenders that wait for room are refused
}

Result<void> Engine::State::Close() {
  if (calls_->ThisThreadIsInside())
    return Error(ErrorCode::kInvalidArgument, "Close was called by a callback of the engine, for which it would wait",
                 "let the callback return and close from another thread");
  std::unique_ptr<ThreadPool> read_pool;
  {
    MutexLock lock(mutex_);
    while (closing_ && !done_closing_) closing_changed_.Wait(mutex_);
    if (done_closing_) return {};
    closing_ = true;
    closing_changed_.NotifyAll();
  }
  closed_.store(true, std::memory_order_release);
  EndCalls(ClosedError());
  auto persisted = cursors_.Close();
  housekeeper_.StopBackground();
  if (follower_) follower_->Stop();
  calls_->AwaitEmpty();
  prefetcher_.Close();
  warmer_.Close();
  request_threads_.Close();
  {
    MutexLock lock(mutex_);
    read_pool = std::move(read_pool_);
  }
  if (read_pool) read_pool->Close();
  if (components_.brought) components_.brought->Dismiss();
  auto synced = CloseLogs();
  if (segment_cache_) segment_cache_->Close();
  (void)KeepTime(std::chrono::minutes(1));  // an older time is as good: ages are counted too short by it
  auto metadata = components_.metadata->Close();
  {
    MutexLock lock(mutex_);
    MR_CHECK(closing_ && !done_closing_ && !read_pool_);
    lock_.reset();
    done_closing_ = true;
    closing_changed_.NotifyAll();
  }
  if (!persisted) return persisted;
  if (!synced) return synced;
  return metadata;
}

/// Nothing is appended any more: what is staged is synced, and every append is told.
Result<void> Engine::State::CloseLogs() {
  MR_CHECK(closed_.load());
  const WalPosition staged_end = wal_.StopStaging();  // nothing follows: what the partitions hold is all there is
  const auto producers = KeepProducers();
  const auto note = producers ? CloseNote() : std::nullopt;  // without it only the frames tell of them
  MR_DCHECK(wal_.StopStaging() == staged_end, staged_end.value());
  auto synced = note ? wal_.CloseWithNote(*note, staged_end) : wal_.Close();  // completes what is staged
  housekeeper_.StopForeground();
  while (appender_.async().CompleteOnce()) {
  }
  return synced;
}

}  // namespace millrace
