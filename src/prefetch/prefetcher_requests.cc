// The prefetcher's requests: what its threads do with the queue.
#include <algorithm>
#include <utility>

#include "fetch/chunk_fetch.h"
#include "fetch/read_trace.h"
#include "fetch/segment_map.h"
#include "fetch/segment_opener.h"
#include "millrace/request_scope.h"
#include "prefetch/prefetcher.h"

namespace millrace {

bool Prefetcher::FetchOnce() {
  Task task;
  std::stop_source stop;
  {
    MutexLock lock(mutex_);
    if (closed_ || queue_.empty()) return false;
    task = std::move(queue_.front());
    queue_.pop_front();
    running_.push_back({.stream = task.stream.get(), .stop = stop});
  }
  const RequestScope scope({.stop = stop.get_token()});
  bool room = true;
  if (task.chunks.empty())
    FetchNext(task);
  else
    room = FetchChunks(task);
  MutexLock lock(mutex_);
  std::erase_if(running_, [&](const Running& running) { return running.stop == stop; });
  idle_.NotifyAll();
  return room;
}

void Prefetcher::FetchNext(const Task& task) {
  ReadExplanation ignored;
  ReadTrace trace{context_.counters, context_.clock, ignored, &task.stream->requests};
  SegmentMap& segments = task.stream->segments;
  const auto row = segments.Find(task.segment.row.end);
  std::shared_ptr<const OpenedSegment> opened;
  if (row && *row && !(**row).is_gap()) {  // a gap has nothing to fetch
    auto result = SegmentOpener(context_, segments, trace, ChunkFor::kAhead).Open(**row, JoinedError::kOurs);
    if (result) opened = *std::move(result);
  }
  {
    MutexLock lock(mutex_);
    ReadStream& s = *task.stream;
    const bool still_there = s.active && s.current.opened == task.segment.opened;
    if (!still_there || closed_) return;
    s.looking_for_next = false;
    s.no_next = !opened;  // until the reader itself gets there
    if (opened) {
      s.next = {**row, std::move(opened)};
      Plan(task.stream);
    }
  }
  WakePool();
}

bool Prefetcher::FetchChunks(const Task& task) {
  const std::span<const SegmentBlock> blocks = task.segment.opened->index->blocks();
  const std::uint64_t bytes = BytesOf(blocks, {task.chunks.front().first, task.chunks.back().end}).length;
  // All of a request or nothing: many small ones would cost more, and come later.
  auto memory = context_.memory.TryReserve(bytes);
  if (!memory && TakeBackFor(task.stream)) memory = context_.memory.TryReserve(bytes);
  if (!memory) {
    const bool later = bytes <= context_.memory.ahead_bytes_max();
    if (later)
      Postpone(task);
    else
      GiveUp(task, task.tickets);
    return !later;
  }
  std::vector<std::size_t> led;
  std::vector<ReadMemory::Reservation> reserved;
  for (std::size_t i = 0; i < task.chunks.size(); ++i) {
    ReadMemory::Reservation room = memory->Split(BytesOf(blocks, task.chunks[i]).length);
    if (Lead(task, i)) {
      led.push_back(i);
      reserved.push_back(std::move(room));
    } else {
      room.Release();
      FetchLed(task, led, reserved);
    }
  }
  FetchLed(task, led, reserved);
  return true;
}

/// Until memory comes back, still in its turn.
void Prefetcher::Postpone(const Task& task) {
  MutexLock lock(mutex_);
  if (closed_ || !task.stream->active) return;
  const auto behind = std::ranges::find_if(queue_, [&](const Task& other) {
    return other.stream == task.stream && !other.chunks.empty() && other.tickets.front() > task.tickets.front();
  });
  queue_.insert(behind, task);
  ++unannounced_;
}

bool Prefetcher::Lead(const Task& task, std::size_t i) {
  const ChunkKey key = Key(task, i);
  ArrivingChunks::Hold unwanted;
  {
    MutexLock lock(mutex_);
    const auto asked = std::ranges::find(task.stream->asked, task.tickets[i], &ReadStream::Asked::ticket);
    if (asked == task.stream->asked.end()) return false;
    ArrivingChunks::Claim claim = arriving_.ClaimAhead(key);
    asked->hold = claim.hold;
    if (claim.leads && !IsNear(task.segment, task.chunks[i])) return true;
    NoLongerComes(*task.stream, *asked);
    if (!claim.leads) return false;  // another reader or stream brings it
    unwanted = std::exchange(asked->hold, nullptr);
  }
  arriving_.GiveUp(key);
  arriving_.LetGo(key, std::move(unwanted));
  return false;
}

void Prefetcher::FetchLed(const Task& task, std::vector<std::size_t>& led,
                          std::vector<ReadMemory::Reservation>& reserved) {
  if (led.empty()) return;
  ReadExplanation ignored;
  ReadTrace trace{context_.counters, context_.clock, ignored, &task.stream->requests};
  ChunkFetch::Order order{.row = task.segment.row,
                          .segment = task.segment.opened,
                          .chunks = {},
                          .whose = ChunkFor::kAhead,
                          .hint = InsertHint::kScan};
  for (const std::size_t i : led) order.chunks.push_back(task.chunks[i]);
  StreamWindow::Departure departure;
  {
    MutexLock lock(mutex_);
    departure = task.stream->window.OnDeparture(context_.clock.Monotonic());
  }
  ChunkFetch fetch(context_, std::move(order));
  const Result<void> fetched = fetch.Run(trace, std::exchange(reserved, {}));
  if (fetched) {
    {
      MutexLock lock(mutex_);
      const auto now = context_.clock.Monotonic();
      task.stream->window.OnArrival(fetch.stored_bytes(), departure, now);
      learned_.Learn(task.stream->window, now);
      for (const std::size_t i : led) {
        const auto asked = std::ranges::find(task.stream->asked, task.tickets[i], &ReadStream::Asked::ticket);
        if (asked != task.stream->asked.end()) NoLongerComes(*task.stream, *asked);
      }
      PlanAgain(task.stream);
    }
    WakePool();
    for (std::size_t i = 0; i < fetch.chunks().size(); ++i) fetch.Keep(i);
  } else {
    std::vector<std::uint64_t> tickets;
    for (const std::size_t i : led) tickets.push_back(task.tickets[i]);
    GiveUp(task, tickets);
  }
  led.clear();
}

void Prefetcher::GiveUp(const Task& task, std::span<const std::uint64_t> tickets) {
  Holds holds;
  {
    MutexLock lock(mutex_);
    auto& asked = task.stream->asked;
    bool any = false;
    for (const std::uint64_t ticket : tickets) {
      const auto found = std::ranges::find(asked, ticket, &ReadStream::Asked::ticket);
      if (found == asked.end()) continue;
      any = true;
      if (found->hold) holds.push_back({found->key, std::move(found->hold)});
      if (found->ahead) task.stream->ahead_bytes -= found->bytes;
      NoLongerComes(*task.stream, *found);
      asked.erase(found);
    }
    if (any) task.stream->window.OnWaste();
  }
  LetGo(std::move(holds));
}

}  // namespace millrace
