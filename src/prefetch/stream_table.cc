#include "prefetch/stream_table.h"

#include <algorithm>
#include <utility>

#include "prefetch/prefetcher.h"

namespace millrace {

StreamTable::~StreamTable() {
  MutexLock lock(mutex_);
  for (const Entry& entry : entries_)
    if (entry.stream) prefetcher_->End(entry.stream);
}

StreamTable::Found StreamTable::Take(Offset begin) {
  MutexLock lock(mutex_);
  const auto found = std::ranges::find(entries_, begin, &Entry::next);
  if (found == entries_.end()) return {};
  Found taken{std::move(found->stream), true};
  entries_.erase(found);
  return taken;
}

void StreamTable::Put(Offset next, std::shared_ptr<ReadStream> stream) {
  Entry oldest;
  {
    MutexLock lock(mutex_);
    entries_.push_front({next, std::move(stream)});
    if (entries_.size() <= kStreamsMax) return;
    oldest = std::move(entries_.back());
    entries_.pop_back();
  }
  if (oldest.stream) prefetcher_->Cancel(oldest.stream);
}

void StreamTable::Move(Offset at, Offset next) {
  if (at == next) return;
  MutexLock lock(mutex_);
  const auto found = std::ranges::find(entries_, at, &Entry::next);
  if (found != entries_.end()) found->next = next;
}

void StreamTable::Abandon(Offset at) {
  const Found found = Take(at);
  if (found.stream) prefetcher_->Cancel(found.stream);
}

}  // namespace millrace
