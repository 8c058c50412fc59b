#include "cli/records/append_queue.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "env/posix_error.h"

namespace millrace {

Result<std::unique_ptr<AppendQueue>> AppendQueue::Make(LogAppender& appender) {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) return PosixError(errno, "make", "a descriptor for answers");
  return std::unique_ptr<AppendQueue>(new AppendQueue(appender, descriptor));
}

AppendQueue::~AppendQueue() {
  Wait();
  ::close(descriptor_);
}

void AppendQueue::Append(const TopicPartition& partition, std::span<const Record> records, std::uint64_t bytes) {
  Entry* entry = nullptr;
  {
    MutexLock lock(mutex_);
    entry = entries_.emplace_back(std::make_unique<Entry>()).get();
    entry->records = records.size();
    entry->bytes = bytes;
    ++open_.appends;
    open_.records += records.size();
    open_.bytes += bytes;
  }
  appender_.Append(partition, records,
                   [this, entry](Result<AppendReceipt> answer) { Answer(*entry, std::move(answer)); });
}

void AppendQueue::Answer(Entry& entry, Result<AppendReceipt> answer) {
  // All under the lock: once Wait sees no open append, this object may go.
  MutexLock lock(mutex_);
  entry.answer = std::move(answer);
  std::uint64_t one = 1;
  (void)!::write(descriptor_, &one, sizeof one);
  open_.records -= entry.records;
  open_.bytes -= entry.bytes;
  if (--open_.appends == 0) answered_.NotifyAll();
}

std::vector<Result<AppendReceipt>> AppendQueue::Take() {
  std::vector<Result<AppendReceipt>> answers;
  MutexLock lock(mutex_);
  std::uint64_t count = 0;
  (void)!::read(descriptor_, &count, sizeof count);
  while (!entries_.empty() && entries_.front()->answer) {
    answers.push_back(*std::move(entries_.front()->answer));
    entries_.pop_front();
  }
  return answers;
}

void AppendQueue::Wait() {
  MutexLock lock(mutex_);
  while (open_.appends > 0) answered_.Wait(mutex_);
}

AppendQueue::Open AppendQueue::open() {
  MutexLock lock(mutex_);
  return open_;
}

}  // namespace millrace
