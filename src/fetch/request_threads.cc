#include "fetch/request_threads.h"

#include <system_error>
#include <utility>

#include "base/limited_wait.h"

namespace millrace {

bool RequestThreads::HaveThread() {
  if (idle_ > waiting_.size() || threads_.size() == kThreadsMax) return true;
  try {
    threads_.emplace_back([this] { Work(); });
  } catch (const std::system_error&) {
    return !threads_.empty();  // those there are come to it
  }
  return true;
}

RequestThreads::Parts RequestThreads::Run(Request request) {
  const auto job = std::make_shared<Job>();
  job->limits = RequestScope::Current();
  LimitedWait wait(mutex_, done_, clock_);
  {
    MutexLock lock(mutex_);
    if (closed_) return Error(ErrorCode::kClosed, "the engine is closed");
    if (HaveThread()) {
      job->request = std::move(request);
      waiting_.push_back(job);
      has_job_.NotifyOne();
      while (!job->parts) {
        Result<void> waited = wait.For("the object store", mutex_);
        if (waited) continue;
        job->wanted = false;
        std::erase(waiting_, job);
        return std::move(waited).error();
      }
      return *std::exchange(job->parts, std::nullopt);
    }
  }
  return request();
}

void RequestThreads::Work() {
  for (;;) {
    std::shared_ptr<Job> job;
    {
      MutexLock lock(mutex_);
      ++idle_;
      while (waiting_.empty() && !closed_) has_job_.Wait(mutex_);
      --idle_;
      if (waiting_.empty()) return;
      job = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const RequestScope scope(job->limits);
    Parts parts = job->request();
    job->request = nullptr;
    {
      MutexLock lock(mutex_);
      if (job->wanted) job->parts = std::move(parts);
    }
    done_.NotifyAll();
  }
}

void RequestThreads::Close() {
  std::vector<std::jthread> threads;  // joined after the lock
  MutexLock lock(mutex_);
  closed_ = true;
  threads = std::exchange(threads_, {});
  has_job_.NotifyAll();
}

}  // namespace millrace
