#include "cli/append_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"

namespace millrace {

AppendQueue::AppendQueue(Engine& engine, AppendOptions options)
    : engine_(engine), options_(options), descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  MR_CHECK(descriptor_ >= 0);
}

AppendQueue::~AppendQueue() {
  Wait();
  ::close(descriptor_);
}

void AppendQueue::Append(const TopicPartition& partition, std::span<const Record> records) {
  Entry* entry = nullptr;
  {
    MutexLock lock(mutex_);
    entry = entries_.emplace_back(std::make_unique<Entry>()).get();
    ++open_;
  }
  engine_.AppendAsync(partition, records, options_,
                      [this, entry](Result<AppendReceipt> answer) { Answer(*entry, std::move(answer)); });
}

void AppendQueue::Answer(Entry& entry, Result<AppendReceipt> answer) {
  // All under the lock: once Wait sees no open append, this object may go.
  MutexLock lock(mutex_);
  entry.answer = std::move(answer);
  std::uint64_t one = 1;
  (void)!::write(descriptor_, &one, sizeof one);
  if (--open_ == 0) answered_.NotifyAll();
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
  while (open_ > 0) answered_.Wait(mutex_);
}

}  // namespace millrace
