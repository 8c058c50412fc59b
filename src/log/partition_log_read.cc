#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "log/partition_log.h"
#include "log/partition_log_state.h"
#include "record/record_batch_view.h"

namespace millrace {

namespace {

constexpr std::size_t kSlicesPerLock = 256;  // appenders wait no longer than these take to copy
constexpr std::int64_t kBlockBytes = 4096;   // of the WAL
constexpr int kBlocksTried = 64;
constexpr std::uint64_t kPassOverBytes = 64 << 10;  // asked of the WAL at least while it is on the way to the offset

std::uint64_t BytesOf(const HotBatches& read) { return read.tail_bytes + read.wal_bytes; }

bool Fits(const HotBatches& read, std::size_t size, std::uint64_t bytes_max) {
  return read.batches.empty() || (BytesOf(read) <= bytes_max && size <= bytes_max - BytesOf(read));
}

}  // namespace

const PartitionLogState::Hole* PartitionLogState::HoleAt(Offset offset) const {
  for (const Hole& hole : holes)
    if (hole.begin <= offset && offset < hole.end) return &hole;
  return nullptr;
}

Error PartitionLogState::HoleError(const Hole& hole, Offset from) const {
  DamagedRange damage = hole.damage;
  damage.begin = from;
  return Error(ErrorCode::kCorruption,
               fmt::format("{}-{}: offsets {} to {} may be lost: {} is damaged from byte {} to {}", options.name.topic,
                           options.name.partition.value(), from.value(), hole.end.value(), damage.place,
                           damage.byte_begin, damage.byte_end),
               "read on from the range's end to skip it")
      .WithDamage(std::move(damage));
}

bool PartitionLogState::TakeFromTail(HotBatches& read, Offset end, std::uint64_t bytes_max) {
  std::size_t at = tail.Find(read.next);
  for (std::size_t taken = 0; taken < kSlicesPerLock && at < tail.size(); ++taken, ++at) {
    MR_DCHECK(taken == 0 ? tail.base(at) <= read.next : tail.base(at) == read.next, tail.base(at).value(),
              read.next.value());
    if (tail.base(at) >= end) return false;
    if (!Fits(read, tail.batch_bytes(at), bytes_max)) {
      read.full = true;
      return false;
    }
    read.batches.push_back(tail.batch(at));
    read.tail_bytes += tail.batch_bytes(at);
    read.next = at + 1 < tail.size() ? tail.base(at + 1) : offsets.log_end();
  }
  return true;
}

std::optional<PartitionLogState::WalPlan> PartitionLogState::PlanWalRead(Offset next, Offset end,
                                                                         std::uint64_t bytes_left,
                                                                         bool anything_read) const {
  WalPlan plan{.stop = end, .bytes_max = std::max<std::uint64_t>(bytes_left, 1)};
  if (!tail.empty()) plan.stop = std::min(plan.stop, tail.begin());
  for (const Hole& hole : holes)
    if (hole.begin > next) plan.stop = std::min(plan.stop, hole.begin);

  const std::size_t first = index.Find(next);
  plan.range.begin = index[first].begin;
  bool on_the_way = index[first].base < next;
  for (const ReadEnd& known : read_ends) {
    if (known.next != next || known.at < plan.range.begin) continue;
    plan.range.begin = known.at;
    on_the_way = false;
  }
  if (on_the_way) plan.bytes_max = std::max(plan.bytes_max, kPassOverBytes);

  // Not past the first interval that begins behind `stop`, nor far past the bytes asked for.
  const auto bytes_before = [&](std::size_t entry) MR_REQUIRES(mutex) {
    return entry < index.size() ? index[entry].bytes_before : index.bytes_total();
  };
  const auto slack =
      static_cast<std::uint64_t>(index.interval_bytes());  // which the first entry may lie before the offset by
  const std::size_t stop = std::max(index.FindAtOrAbove(plan.stop), first + 1);
  const std::uint64_t enough = bytes_left > UINT64_MAX / 2 ? UINT64_MAX / 2 : bytes_before(first) + bytes_left;
  std::size_t last = first + 1;
  while (last < stop && bytes_before(last) <= enough + slack) ++last;
  // An interval beyond the ordinary is one large batch: one that will not fit is not read in vain.
  const auto is_large_and_too_much = [&](std::size_t entry) MR_REQUIRES(mutex) {
    return bytes_before(entry + 1) > enough && bytes_before(entry + 1) - bytes_before(entry) >= 2 * slack;
  };
  while (last > first + 1 && is_large_and_too_much(last - 1)) --last;
  if (last == first + 1 && anything_read && index[first].base == next && is_large_and_too_much(first))
    return std::nullopt;
  plan.range.end = last < index.size() ? index[last].begin : index.end();
  MR_DCHECK(plan.range.begin < plan.range.end && next < plan.stop, plan.range.begin.value(), plan.range.end.value(),
            next.value(), plan.stop.value());
  return plan;
}

void PartitionLogState::RememberReadEnd(Offset next, WalPosition at) {
  MutexLock lock(mutex);
  for (ReadEnd& known : read_ends) {
    if (known.next != next) continue;
    known.at = std::max(known.at, at);
    return;
  }
  read_ends[next_read_end] = {next, at};
  next_read_end = (next_read_end + 1) % read_ends.size();
}

Error PartitionLogState::DescribeDamage(const Error& error, Offset begin, Offset end) const {
  DamagedRange damage = error.damage() != nullptr ? *error.damage() : DamagedRange{.place = "WAL"};
  damage.partition = options.name;
  damage.begin = begin;
  damage.end = end;
  return error
      .WithContext(fmt::format("{}-{}: offsets {} to {} cannot be read", options.name.topic,
                               options.name.partition.value(), begin.value(), end.value()))
      .WithDamage(std::move(damage));
}

PartitionLogState::Resumption PartitionLogState::FindBehindDamage(WalPosition at, const Error& error) {
  std::vector<WalPosition> places_to_try;
  WalPosition wal_end;
  Offset log_end;
  {
    MutexLock lock(mutex);
    wal_end = index.end();
    log_end = offsets.log_end();
    const DamagedRange* damage = error.damage();
    if (const auto damage_end = damage != nullptr ? wal.EndOf(*damage) : std::nullopt; damage_end && *damage_end > at) {
      // More may be readable before its end: frames that were synced on their own begin a block.
      WalPosition block((at.value() / kBlockBytes + 1) * kBlockBytes);
      for (int tries = 0; block < *damage_end && tries < kBlocksTried; ++tries, block += kBlockBytes)
        places_to_try.push_back(block);
      places_to_try.push_back(*damage_end);
    }
    for (std::size_t i = 0; i < index.size(); ++i)
      if (index[i].begin > at) places_to_try.push_back(index[i].begin);
  }
  std::ranges::sort(places_to_try);  // the nearest that can be read: no more is given up than must be
  for (const WalPosition place : places_to_try) {
    if (place >= wal_end) break;
    const Result<Wal::Frames> frames = wal.Read(options.stream, {place, wal_end}, 1);
    if (!frames) continue;
    if (frames->frames.empty()) break;  // nothing more of ours
    const Result<RecordBatchView> view = RecordBatchView::Parse(frames->frames.front().payload.bytes());
    if (view) return {view->base_offset(), frames->frames.front().extent.begin};
  }
  return {log_end, wal_end};
}

Result<bool> PartitionLogState::ReadFromWal(WalPlan plan, HotBatches& read, std::uint64_t bytes_max) {
  const auto lost = [&](const Error& error, Offset end) -> Result<bool> {
    if (read.batches.empty()) return DescribeDamage(error, read.next, end);
    return false;  // what lies before the damage is returned; the next read reports it
  };
  while (read.next < plan.stop && plan.range.begin < plan.range.end) {
    Result<Wal::Frames> frames = wal.Read(options.stream, plan.range, plan.bytes_max);
    if (!frames && frames.error().code() == ErrorCode::kCorruption) {
      if (plan.bytes_max > 1) {  // what lies before the damage, frame by frame
        plan.bytes_max = 1;
        continue;
      }
      const Resumption resumption = FindBehindDamage(plan.range.begin, frames.error());
      if (resumption.base > read.next) {
        RememberReadEnd(resumption.base, resumption.at);
        return lost(frames.error(), resumption.base);
      }
      plan.range.begin = resumption.at;  // the damage was another partition's, or lies before what is wanted
      continue;
    }
    if (!frames) {
      if (read.batches.empty()) return std::move(frames).error();
      return false;
    }
    for (Wal::Frame& frame : frames->frames) {
      const Result<RecordBatchView> view = RecordBatchView::Parse(frame.payload.bytes());
      if (!view) return lost(view.error(), read.next + 1);
      if (view->end_offset() <= read.next) continue;
      if (view->base_offset() >= plan.stop || !Fits(read, frame.payload.size(), bytes_max)) {
        RememberReadEnd(read.next, frame.extent.begin);
        read.full = view->base_offset() < plan.stop;
        return !read.full;
      }
      if (view->base_offset() > read.next)
        return lost(Error(ErrorCode::kCorruption, "the WAL lacks frames that were appended"), view->base_offset());
      read.next = view->end_offset();
      read.wal_bytes += frame.payload.size();
      read.batches.push_back(std::move(frame.payload));
    }
    plan.range.begin = frames->next;
    plan.bytes_max = std::max<std::uint64_t>(bytes_max - std::min(bytes_max, BytesOf(read)),
                                             read.batches.empty() ? kPassOverBytes : 1);
    if (BytesOf(read) >= bytes_max && !read.batches.empty()) {
      RememberReadEnd(read.next, plan.range.begin);
      read.full = true;
      return false;
    }
  }
  return true;
}

Result<HotBatches> PartitionLog::ReadHot(Offset begin, Offset end, std::uint64_t bytes_max) {
  PartitionLogState& s = *state_;
  HotBatches read{.next = begin};
  while (read.next < end) {
    std::optional<PartitionLogState::WalPlan> plan;
    {
      MutexLock lock(s.mutex);
      if (s.broken) return *s.broken;
      end = std::min(end, s.offsets.log_end());
      if (read.next >= end) break;
      if (read.next < s.offsets.hot_start()) {
        if (!read.batches.empty()) break;
        return Error(ErrorCode::kOutOfRange, fmt::format("offset {} is no longer in the hot tier", read.next.value()))
            .WithBounds({s.offsets.hot_start(), s.offsets.log_end()});
      }
      if (const PartitionLogState::Hole* hole = s.HoleAt(read.next); hole != nullptr) {
        if (!read.batches.empty()) break;
        return s.HoleError(*hole, read.next);
      }
      if (!s.tail.empty() && read.next >= s.tail.begin()) {
        if (!s.TakeFromTail(read, end, bytes_max)) break;
        continue;
      }
      MR_CHECK(!s.index.empty(), read.next.value(), end.value());
      plan = s.PlanWalRead(read.next, end, bytes_max - std::min(bytes_max, BytesOf(read)), !read.batches.empty());
    }
    if (!plan) {
      read.full = true;
      break;
    }
    const Offset before = read.next;
    MR_ASSIGN_OR_RETURN(const bool go_on, s.ReadFromWal(*plan, read, bytes_max));
    if (!go_on) break;
    if (read.next == before) {
      // Recycled between the plan and the read, or the WAL lost what its index says it holds.
      if (!read.batches.empty()) break;
      MutexLock lock(s.mutex);
      if (before < s.offsets.hot_start()) continue;
      return s.DescribeDamage(Error(ErrorCode::kCorruption, "the WAL lacks frames that were appended"), before,
                              std::min(end, plan->stop));
    }
  }
  MR_DCHECK(read.batches.empty() == (read.next == begin), read.batches.size(), read.next.value(), begin.value());
  return read;
}

Offset PartitionLog::FindHotByTime(Offset from, std::int64_t timestamp_ms) const {
  PartitionLogState& s = *state_;
  MutexLock lock(s.mutex);
  const Offset visible_end = s.VisibleEnd();
  while (const PartitionLogState::Hole* hole = s.HoleAt(from)) from = hole->end;  // no record of any time is there
  if (s.index.empty()) return from;
  for (std::size_t i = s.index.Find(from); i < s.index.size() && s.index[i].base < visible_end; ++i)
    if (s.index[i].timestamp_max_ms >= timestamp_ms) return std::max(from, s.index[i].base);
  return visible_end;
}

}  // namespace millrace
