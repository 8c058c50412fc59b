#include "prefetch/prefetcher.h"

#include <algorithm>
#include <utility>

#include "cache/block_key.h"
#include "env/thread_pool.h"

namespace millrace {

namespace {

constexpr std::uint64_t kSlackBytes = kChunkWindowBytes / 2;  // chunks are about as long as their windows
constexpr std::size_t kPoolQueueMax = 256;

std::uint64_t BytesFrom(std::span<const SegmentBlock> blocks, std::size_t first) {
  return first < blocks.size() ? BytesOf(blocks, {first, blocks.size()}).length : 0;
}

}  // namespace

Prefetcher::Prefetcher(FetchContext& context, const PrefetcherOptions& options)
    : context_(context), arriving_(context.flights.chunks), options_(options) {}

Prefetcher::~Prefetcher() { Close(); }

void Prefetcher::Close() {
  std::unique_ptr<ThreadPool> pool;
  Holds holds;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    while (!active_.empty()) Deactivate(active_.back(), holds);
    queue_.clear();
    pool = std::move(pool_);
  }
  LetGo(std::move(holds));
  StopRunning(nullptr);
  if (pool) pool->Close();
  MutexLock lock(mutex_);
  while (!running_.empty()) idle_.Wait(mutex_);
}

void Prefetcher::LetGo(Holds holds) {
  for (Released& released : holds) arriving_.LetGo(released.key, std::move(released.hold));
}

/// What was asked for and not read.
void Prefetcher::Drop(ReadStream& stream, Holds& holds) {
  for (ReadStream::Asked& asked : stream.asked)
    if (asked.hold) holds.push_back({asked.key, std::move(asked.hold)});
  stream.asked.clear();
  stream.ahead_bytes = stream.coming_bytes = 0;
  std::erase_if(queue_, [&](const Task& task) { return task.stream.get() == &stream && !task.chunks.empty(); });
}

void Prefetcher::Deactivate(const StreamPointer& stream, Holds& holds) {
  const StreamPointer keep = stream;  // the argument may be the last one in the list
  Drop(*keep, holds);
  std::erase_if(queue_, [&](const Task& task) { return task.stream == keep; });
  keep->current = {};
  keep->next = {};
  keep->looking_for_next = keep->no_next = keep->active = false;
  std::erase(active_, keep);
}

void Prefetcher::Cancel(const StreamPointer& stream) {
  Holds holds;
  {
    MutexLock lock(mutex_);
    if (stream->active) Deactivate(stream, holds);
  }
  LetGo(std::move(holds));
}

void Prefetcher::End(const StreamPointer& stream) {
  Cancel(stream);
  StopRunning(stream.get());
  MutexLock lock(mutex_);
  while (std::ranges::find(running_, stream.get(), &Running::stream) != running_.end()) idle_.Wait(mutex_);
}

/// Of `stream`, or all. A store's answer to a stop may be anything, so no lock is held.
void Prefetcher::StopRunning(const ReadStream* stream) {
  std::vector<Running> running;
  {
    MutexLock lock(mutex_);
    running = running_;
  }
  for (Running& one : running)
    if (stream == nullptr || one.stream == stream) one.stop.request_stop();
}

Prefetcher::Yielding::Yielding(Prefetcher& prefetcher, std::uint64_t bytes) : prefetcher_(prefetcher) {
  const ReadMemory& memory = prefetcher.context_.memory;
  if (memory.bytes() + bytes <= memory.bytes_max()) return;
  yields_ = true;
  Holds holds;
  {
    MutexLock lock(prefetcher.mutex_);
    ++prefetcher.yielding_;
    for (const StreamPointer& stream : prefetcher.active_) {
      if (!stream->asked.empty()) stream->window.OnWaste();
      prefetcher.Drop(*stream, holds);
      stream->current = {};  // it begins anew where its reader is
    }
  }
  prefetcher.LetGo(std::move(holds));
}

Prefetcher::Yielding::~Yielding() {
  if (!yields_) return;
  MutexLock lock(prefetcher_.mutex_);
  --prefetcher_.yielding_;
}

bool Prefetcher::Stands(const ReadStream& stream) const {
  return context_.clock.Monotonic() - stream.used_at > kMovesWithin;
}

/// Of the streams that move. Those within one segment ask for the same bytes, and so count as one.
std::uint64_t Prefetcher::Share(const ReadStream& stream) const {
  std::vector<const OpenedSegment*> places{stream.current.opened.get()};
  for (const StreamPointer& other : active_)
    if (!Stands(*other)) places.push_back(other->current.opened.get());
  std::ranges::sort(places);
  const auto doubles = std::ranges::unique(places);
  places.erase(doubles.begin(), doubles.end());
  if (places.size() <= 1) return context_.memory.ahead_bytes_max();
  return context_.memory.bytes_max() / 2 / places.size();
}

/// A scan that ended, or rests, may hold nearly all of the budget. False: no stream that stands holds more than a
/// request.
bool Prefetcher::TakeBackFor(const StreamPointer& stream) {
  Holds holds;
  {
    MutexLock lock(mutex_);
    for (const StreamPointer& other : active_) {
      if (other == stream || !Stands(*other) || other->ahead_bytes <= kJoinBytesMax) continue;
      other->window.OnWaste();
      Drop(*other, holds);
      other->current = {};  // it begins anew where its reader is
    }
  }
  if (holds.empty()) return false;
  LetGo(std::move(holds));
  return true;
}

void Prefetcher::DeactivateIdle(std::chrono::nanoseconds now, Holds& holds) {
  for (std::size_t i = 0; i < active_.size();) {
    if (now - active_[i]->used_at > kIdleMax)
      Deactivate(active_[i], holds);
    else
      ++i;
  }
}

void Prefetcher::DropIdle() {
  Holds holds;
  {
    MutexLock lock(mutex_);
    DeactivateIdle(context_.clock.Monotonic(), holds);
  }
  LetGo(std::move(holds));
}

void Prefetcher::Advance(const StreamPointer& stream, const SegmentRow& row,
                         const std::shared_ptr<const OpenedSegment>& segment, BlockRange wanted) {
  const std::span<const SegmentBlock> blocks = segment->index->blocks();
  Holds holds;
  {
    MutexLock lock(mutex_);
    if (closed_) return;
    ReadStream& s = *stream;
    s.used_at = context_.clock.Monotonic();
    if (!std::exchange(s.active, true)) active_.push_back(stream);
    DeactivateIdle(s.used_at, holds);
    for (ReadStream::Asked& asked : s.asked) {
      if (asked.begin >= blocks[wanted.end - 1].end) break;
      if (!std::exchange(asked.ahead, false)) continue;
      s.window.OnRead(asked.bytes);
      s.ahead_bytes -= asked.bytes;
    }
    while (!s.asked.empty() && s.asked.front().end <= blocks[wanted.first].base) {
      ReadStream::Asked& read = s.asked.front();
      NoLongerComes(s, read);
      if (read.hold) holds.push_back({read.key, std::move(read.hold)});
      s.asked.pop_front();
    }
    const std::size_t behind = ChunkOf(blocks, wanted.end - 1).end;
    if (!s.current.opened || row.base > s.current.row.base) {
      s.current = {row, segment};
      s.frontier = behind;
      s.next = {};
      s.looking_for_next = s.no_next = false;
    } else if (row.base == s.current.row.base) {
      s.frontier = std::max(s.frontier, behind);
    }
    Plan(stream);
  }
  LetGo(std::move(holds));
  WakePool();
}

void Prefetcher::Outrun(const StreamPointer& stream, Offset at) {
  {
    MutexLock lock(mutex_);
    ReadStream& s = *stream;
    const bool asked = std::ranges::any_of(
        s.asked, [&](const ReadStream::Asked& chunk) { return chunk.begin <= at && at < chunk.end; });
    if (!asked) return;
    s.window.OnOutrun(at >= s.grows_from, learned_.At(context_.clock.Monotonic()));
    // What is on its way was asked for under the window before.
    if (at >= s.grows_from) s.grows_from = s.asked.back().end;
    PlanAgain(stream);
  }
  WakePool();
}

/// The window may have grown.
void Prefetcher::PlanAgain(const StreamPointer& stream) {
  if (!closed_ && stream->active && stream->current.opened) Plan(stream);
}

void Prefetcher::Plan(const StreamPointer& stream) {
  while (yielding_ == 0 && AskForNextRequest(stream)) {
  }
}

void Prefetcher::OpenNext(const StreamPointer& stream) {
  stream->looking_for_next = true;
  // Before all else: nothing can be asked for behind it.
  queue_.push_front({.stream = stream, .segment = stream->current, .chunks = {}, .tickets = {}});
  ++unannounced_;
}

bool Prefetcher::IsNear(const ReadStream::Segment& segment, BlockRange chunk) const {
  if (context_.segment_cache->Contains(KeyOf(segment.row, *segment.opened, chunk))) return true;
  const std::span<const SegmentBlock> blocks = segment.opened->index->blocks();
  return std::ranges::all_of(blocks.subspan(chunk.first, chunk.end - chunk.first), [&](const SegmentBlock& block) {
    return context_.blocks.PeekBlock(KeyOf(segment.row, block)) != nullptr;
  });
}

/// Whether another stream of the partition has asked for the chunk and not passed it; then it is held for this one too.
bool Prefetcher::OthersAsked(const ReadStream& stream, const ChunkKey& key, ArrivingChunks::Hold& hold) {
  for (const StreamPointer& other : active_) {
    if (other.get() == &stream || &other->segments != &stream.segments) continue;
    const auto found = std::ranges::find(other->asked, key, &ReadStream::Asked::key);
    if (found == other->asked.end()) continue;
    if (!found->hold) return true;
    ArrivingChunks::Claim claim = arriving_.ClaimAhead(key);
    if (!claim.leads) {
      hold = std::move(claim.hold);
      return true;
    }
    arriving_.GiveUp(key);  // it came and went
    arriving_.LetGo(key, std::move(claim.hold));
    return false;
  }
  return false;
}

void Prefetcher::NoLongerComes(ReadStream& stream, ReadStream::Asked& chunk) {
  if (std::exchange(chunk.coming, false)) stream.coming_bytes -= chunk.bytes;
}

/// One more request, or one more chunk that needs none, if the window has room for it.
bool Prefetcher::AskForNextRequest(const StreamPointer& stream) {
  ReadStream& s = *stream;
  const std::span<const SegmentBlock> blocks = s.current.opened->index->blocks();
  const std::uint64_t share = Share(s), window = s.window.bytes(share / 8 * 7);
  // Where the window has come to its end, half of it is read while half is on its way.
  const std::uint64_t request_bytes_max =
      std::min(share >= StreamWindow::kPipelineBytes ? window : window / 2, kJoinBytesMax);
  if (!s.next.opened && !s.looking_for_next && !s.no_next && BytesFrom(blocks, s.frontier) <= window) OpenNext(stream);
  if (s.frontier == blocks.size()) {
    if (!s.next.opened) return false;
    s.current = std::exchange(s.next, {});
    s.frontier = 0;
    return true;
  }
  Task task{.stream = stream, .segment = s.current, .chunks = {}, .tickets = {}};
  std::vector<ReadStream::Asked> asked;
  std::uint64_t bytes = 0;
  bool near = false;
  for (std::size_t at = s.frontier; at < blocks.size() && !near;) {
    const BlockRange chunk = ChunkOf(blocks, at);
    if (!task.chunks.empty() && !Joins(blocks, task.chunks.front(), chunk, request_bytes_max)) break;
    ArrivingChunks::Hold hold;
    near = IsNear(s.current, chunk) || OthersAsked(s, KeyOf(s.current.row, *s.current.opened, chunk), hold);
    if (near && !task.chunks.empty()) {
      if (hold) arriving_.LetGo(KeyOf(s.current.row, *s.current.opened, chunk), std::move(hold));
      near = false;  // the chunks before it are not: they are a request, and this one is the next round's
      break;
    }
    if (!near) task.chunks.push_back(chunk);
    asked.push_back({.ticket = ++last_ticket_,
                     .key = KeyOf(s.current.row, *s.current.opened, chunk),
                     .begin = blocks[chunk.first].base,
                     .end = blocks[chunk.end - 1].end,
                     .bytes = BytesOf(blocks, chunk).length,
                     .hold = std::move(hold)});
    bytes += asked.back().bytes;
    at = chunk.end;
  }
  // A whole request or none: small ones cost as much as large ones.
  const std::uint64_t ahead_max = std::min(window + window / 8, share) + kSlackBytes;
  const bool fits = s.ahead_bytes + bytes <= ahead_max && (near || s.coming_bytes + bytes <= window + kSlackBytes);
  if (s.ahead_bytes > 0 && !fits) {
    if (asked.front().hold) arriving_.LetGo(asked.front().key, std::move(asked.front().hold));
    return false;
  }
  for (ReadStream::Asked& chunk : asked) {
    chunk.coming = !near;
    task.tickets.push_back(chunk.ticket);
    s.asked.push_back(std::move(chunk));
  }
  s.ahead_bytes += bytes;
  if (!near) s.coming_bytes += bytes;
  s.frontier = near ? ChunkOf(blocks, s.frontier).end : task.chunks.back().end;
  if (near) return true;
  queue_.push_back(std::move(task));
  ++unannounced_;
  return true;
}

void Prefetcher::WakePool() {
  MutexLock lock(mutex_);
  const std::size_t tasks = std::exchange(unannounced_, 0);
  if (options_.threads == 0 || closed_ || queue_.empty()) return;
  if (!pool_) {
    auto started = ThreadPool::Start({.threads = options_.threads, .queue_max = kPoolQueueMax});
    if (!started) return;  // readers do without
    pool_ = *std::move(started);
  }
  for (std::size_t i = 0; i < tasks; ++i) {
    const Result<void> submitted = pool_->TrySubmit([this](std::stop_token) {
      while (FetchOnce()) {
      }
    });
    if (!submitted) return;  // those at work come to it
  }
}

}  // namespace millrace
