#include "read/block_warmer.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "cache/block_key.h"
#include "env/thread_pool.h"
#include "millrace/request_scope.h"
#include "read/cold_reader.h"

namespace millrace {

namespace {

constexpr std::uint64_t kReadBytesMin = 64 << 10;  // less is not worth waking a thread for
constexpr std::uint64_t kWindowBytesMax = 8 << 20, kCacheShare = 4;
/// One that the reader comes to next, and one while it takes it, so that the thread goes on without being woken.
constexpr std::uint64_t kReadsAhead = 2;
constexpr std::size_t kWishesMax = 16;

}  // namespace

BlockWarmer::BlockWarmer(ReadContext& context, const BlockWarmerOptions& options)
    : context_(context), window_bytes_max_(std::min(kWindowBytesMax, options.cache_bytes_max / kCacheShare)) {}

BlockWarmer::~BlockWarmer() { Close(); }

void BlockWarmer::Close() {
  std::unique_ptr<ThreadPool> thread;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    thread = std::move(thread_);
  }
  if (thread) thread->Close();
}

BlockRange BlockWarmer::Missing(const Wish& wish, std::uint64_t reads) const {
  const std::span<const SegmentBlock> blocks = wish.segment->index->blocks();
  const std::uint64_t most = window_bytes_max_ / kReadsAhead;
  const std::uint64_t window = reads * std::clamp(wish.bytes, std::min(kReadBytesMin, most), most);
  BlockRange run;
  std::uint64_t ahead = 0, stored = 0;
  for (std::size_t number = wish.first; number < blocks.size() && ahead < window; ++number) {
    ahead += blocks[number].raw_bytes;
    if (ahead > window_bytes_max_) break;  // the cache might not keep it
    if (run.end == 0) {
      if (number < wish.done_end || context_.blocks.PeekBlock(KeyOf(wish.row, blocks[number]))) continue;
      run.first = number;
    }
    run.end = number + 1;
    stored += blocks[number].stored_bytes;
    if (stored >= ColdReader::kRequestBytesMax) break;
  }
  return run;
}

void BlockWarmer::Warm(SegmentMap& segments, const SegmentRow& row, const std::shared_ptr<const OpenedSegment>& segment,
                       std::size_t first, std::uint64_t bytes) {
  Wish wish{&segments, row, segment, first, bytes};
  if (Missing(wish, 1) == BlockRange{}) return;
  MutexLock lock(mutex_);
  if (closed_) return;
  const auto same = std::ranges::find(wishes_, segment, &Wish::segment);
  if (same != wishes_.end()) {
    *same = std::move(wish);
  } else {
    if (wishes_.size() == kWishesMax) wishes_.pop_front();
    wishes_.push_back(std::move(wish));
  }
  if (working_) return;
  if (!thread_) thread_ = ThreadPool::Start({.threads = 1, .queue_max = 1}).value_or(nullptr);
  working_ = thread_ && thread_->TrySubmit([this](const std::stop_token& stop) { Work(stop); });
  if (!working_) wishes_.clear();
}

void BlockWarmer::Work(const std::stop_token& stop) {
  const RequestScope scope({.stop = stop});
  for (;;) {
    Wish wish;
    {
      MutexLock lock(mutex_);
      working_ = !wishes_.empty();
      if (!working_) return;
      wish = std::move(wishes_.front());
      wishes_.pop_front();
    }
    const BlockRange run = Missing(wish, kReadsAhead);
    if (run == BlockRange{}) continue;
    ReadExplanation ignored;
    ReadTrace trace{context_.counters, context_.clock, ignored};
    ColdReader(context_, *wish.segments, trace).Warm(wish.row, wish.segment, run);
    wish.done_end = run.end;
    MutexLock lock(mutex_);
    const bool newer = std::ranges::find(wishes_, wish.segment, &Wish::segment) != wishes_.end();
    if (!newer && !closed_ && wishes_.size() < kWishesMax) wishes_.push_back(std::move(wish));
  }
}

}  // namespace millrace
