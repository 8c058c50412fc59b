// Requests made on behalf of readers who wait no longer than their deadline, for stores that do not look at it: a
// thread of ours waits for the store, and the reader for the thread.
//
//   reader ──Run──► waiting ──► a thread: the request ──► result ──► reader
//             └── the reader's limits end it: kTimeout, kClosed; what the store says then is dropped
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "millrace/bytes.h"
#include "millrace/clock.h"
#include "millrace/request_scope.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread. Threads start when they are needed and end with Close.
class RequestThreads {
 public:
  static constexpr std::size_t kThreadsMax = 64;
  using Parts = Result<std::vector<SharedBytes>>;
  /// It may run longer than its caller waits: it owns what it uses, or that outlives Close.
  using Request = std::move_only_function<Parts()>;

  explicit RequestThreads(Clock& clock) : clock_(clock) {}
  ~RequestThreads() { Close(); }
  RequestThreads(const RequestThreads&) = delete;
  RequestThreads& operator=(const RequestThreads&) = delete;

  /// Runs `request` under the caller's limits and returns when they end at the latest. Without a thread to be had it
  /// runs on this one. Errors: those of the request; kTimeout, kClosed.
  Parts Run(Request request) MR_EXCLUDES(mutex_);
  /// Refuses more and waits for requests under way, which were told to stop if their callers were. May be called again.
  void Close() MR_EXCLUDES(mutex_);

 private:
  /// `limits` and `request` are the thread's once it has taken the job; the rest is guarded by mutex_.
  struct Job {
    RequestLimits limits;
    Request request;
    std::optional<Parts> parts;
    bool wanted = true;
  };

  void Work() MR_EXCLUDES(mutex_);
  /// False: there is none.
  bool HaveThread() MR_REQUIRES(mutex_);

  Clock& clock_;
  Mutex mutex_;
  CondVar has_job_, done_;
  std::deque<std::shared_ptr<Job>> waiting_ MR_GUARDED_BY(mutex_);
  std::size_t idle_ MR_GUARDED_BY(mutex_) = 0;
  bool closed_ MR_GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
