#include "store/abandoning_object_store.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/mutex.h"
#include "base/try.h"
#include "env/start_thread.h"

namespace millrace {
namespace {

/// What a store is asked at once; more wait for a thread. Requests mostly wait, so threads cost little.
constexpr std::size_t kThreadsMax = 256;

/// Of one request: shared by the caller and the thread that serves it, whichever goes first.
template <class T>
struct Outcome {
  Mutex mutex;
  CondVar changed;
  std::optional<Result<T>> result MR_GUARDED_BY(mutex);
  bool abandoned MR_GUARDED_BY(mutex) = false;
};

}  // namespace

/// The threads, which own it together with the store in front of it. They are not joined: one may stand in a request
/// that never ends.
class AbandoningObjectStore::Crew : public std::enable_shared_from_this<Crew> {
 public:
  using Task = std::move_only_function<void()>;

  Result<void> Submit(Task task) {
    MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    if (tasks_.size() <= idle_) {
      work_.NotifyOne();
      return {};
    }
    if (threads_ == kThreadsMax) return {};
    auto thread = StartThread([self = shared_from_this()](const std::stop_token&) { self->Serve(); });
    if (thread) {
      ++threads_;
      thread->detach();
      return {};
    }
    if (threads_ > 0) return {};  // those that there are come to it
    tasks_.pop_back();
    return std::move(thread).error();
  }

  void Dismiss() {
    MutexLock lock(mutex_);
    dismissed_ = true;
    work_.NotifyAll();
    while (idle_ > 0) gone_.Wait(mutex_);
  }

 private:
  void Serve() {
    mutex_.Lock();
    while (true) {
      while (tasks_.empty() && !dismissed_) {
        ++idle_;
        work_.Wait(mutex_);
        --idle_;
        if (dismissed_) gone_.NotifyAll();
      }
      if (tasks_.empty()) break;
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      mutex_.Unlock();
      task();
      task = nullptr;
      mutex_.Lock();
    }
    --threads_;
    mutex_.Unlock();
  }

  Mutex mutex_;
  CondVar work_, gone_;
  std::deque<Task> tasks_ MR_GUARDED_BY(mutex_);
  std::size_t idle_ MR_GUARDED_BY(mutex_) = 0, threads_ MR_GUARDED_BY(mutex_) = 0;
  bool dismissed_ MR_GUARDED_BY(mutex_) = false;
};

AbandoningObjectStore::AbandoningObjectStore(std::shared_ptr<ObjectStore> inner, std::shared_ptr<Clock> clock)
    : ForwardingObjectStore(std::move(inner)), clock_(std::move(clock)), crew_(std::make_shared<Crew>()) {}

AbandoningObjectStore::~AbandoningObjectStore() { Dismiss(); }

void AbandoningObjectStore::Dismiss() { crew_->Dismiss(); }

template <class T>
Result<T> AbandoningObjectStore::Run(std::move_only_function<Result<T>(ObjectStore&)> request) {
  const RequestLimits limits = RequestScope::Current();
  const auto outcome = std::make_shared<Outcome<T>>();
  MR_TRY(crew_->Submit([outcome, limits, store = shared_inner(), request = std::move(request)]() mutable {
    {
      MutexLock lock(outcome->mutex);
      if (outcome->abandoned) return;
    }
    const RequestScope scope(limits);
    Result<T> result = request(*store);
    request = nullptr;
    store.reset();  // the caller that waits may be the last to hold it
    MutexLock lock(outcome->mutex);
    outcome->result = std::move(result);
    outcome->changed.NotifyAll();
  }));
  const std::stop_callback wake(limits.stop, [&outcome] {
    MutexLock lock(outcome->mutex);
    outcome->changed.NotifyAll();
  });
  MutexLock lock(outcome->mutex);
  while (!outcome->result) {
    const bool stopped = limits.stop.stop_requested();
    const auto left = TimeLeft(limits.deadline, limits.deadline == kNever ? kNever : clock_->Monotonic());
    if (stopped || left == left.zero()) {
      outcome->abandoned = true;
      return Error(stopped ? ErrorCode::kClosed : ErrorCode::kTimeout,
                   Describe() + (stopped ? " did not answer before its caller closed"
                                         : " did not answer before its caller's deadline"))
          .WithRetryable(false);
    }
    outcome->changed.WaitFor(outcome->mutex, left);
  }
  return *std::move(outcome->result);
}

Result<void> AbandoningObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  return Run<void>([key = std::string(key), pieces = std::vector(pieces.begin(), pieces.end()),
                    mode](ObjectStore& store) { return store.Put(key, pieces, mode); });
}

Result<SharedBytes> AbandoningObjectStore::Get(std::string_view key, ByteRange range) {
  return Run<SharedBytes>([key = std::string(key), range](ObjectStore& store) { return store.Get(key, range); });
}

Result<std::vector<SharedBytes>> AbandoningObjectStore::GetParts(std::string_view key, std::uint64_t offset,
                                                                 std::span<const std::uint64_t> lengths) {
  return Run<std::vector<SharedBytes>>(
      [key = std::string(key), offset, lengths = std::vector(lengths.begin(), lengths.end())](ObjectStore& store) {
        return store.GetParts(key, offset, lengths);
      });
}

Result<std::vector<SharedBytes>> AbandoningObjectStore::PrefetchParts(std::string_view key, std::uint64_t offset,
                                                                      std::span<const std::uint64_t> lengths) {
  return Run<std::vector<SharedBytes>>(
      [key = std::string(key), offset, lengths = std::vector(lengths.begin(), lengths.end())](ObjectStore& store) {
        return store.PrefetchParts(key, offset, lengths);
      });
}

Result<ObjectDescription> AbandoningObjectStore::Head(std::string_view key) {
  return Run<ObjectDescription>([key = std::string(key)](ObjectStore& store) { return store.Head(key); });
}

Result<ObjectPage> AbandoningObjectStore::List(std::string_view prefix, std::string_view continuation,
                                               std::size_t max) {
  return Run<ObjectPage>([prefix = std::string(prefix), continuation = std::string(continuation),
                          max](ObjectStore& store) { return store.List(prefix, continuation, max); });
}

Result<void> AbandoningObjectStore::Delete(std::string_view key) {
  return Run<void>([key = std::string(key)](ObjectStore& store) { return store.Delete(key); });
}

Result<void> AbandoningObjectStore::DeleteMany(std::span<const std::string> keys) {
  return Run<void>(
      [keys = std::vector(keys.begin(), keys.end())](ObjectStore& store) { return store.DeleteMany(keys); });
}

}  // namespace millrace
