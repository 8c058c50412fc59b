#include "log/wal_index.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace {

namespace {

constexpr int kDoublingsMax = 30;  // an interval is longer than any WAL then

}  // namespace

WalIndex::~WalIndex() {
  MR_CHECK(budget_ != nullptr || taken_ == 0, taken_);
  if (budget_ != nullptr) budget_->Give(taken_);
}

WalIndex& WalIndex::operator=(WalIndex&& other) noexcept {
  WalIndex moved(std::move(other));
  Swap(moved);
  return *this;
}

void WalIndex::Swap(WalIndex& other) noexcept {
  std::swap(entries_, other.entries_);
  std::swap(end_, other.end_);
  std::swap(bytes_total_, other.bytes_total_);
  std::swap(interval_closed_, other.interval_closed_);
  std::swap(doublings_, other.doublings_);
  std::swap(kept_, other.kept_);
  std::swap(budget_, other.budget_);
  std::swap(taken_, other.taken_);
}

bool WalIndex::FarEnough(const Entry& last, WalPosition begin, std::uint64_t bytes_before) const {
  const std::int64_t distance = begin - last.begin;
  if (distance < interval_bytes()) return false;
  return bytes_before - last.bytes_before >= kPayloadPerEntry << doublings_ || distance >= kIntervalMax << doublings_;
}

bool WalIndex::OpensInterval(WalPosition begin) const {
  return entries_.empty() || interval_closed_ || FarEnough(entries_.back(), begin, bytes_total_);
}

void WalIndex::Add(Offset base, WalExtent extent, std::uint64_t batch_bytes, std::int64_t timestamp_max_ms,
                   bool opens_interval, std::int64_t now_ms) {
  MR_DCHECK(extent.begin >= end_ && extent.begin < extent.end, extent.begin.value(), extent.end.value(), end_.value());
  MR_DCHECK(opens_interval || !entries_.empty(), base.value());
  if (opens_interval) {
    interval_closed_ = false;
    Push({base, extent.begin, bytes_total_, timestamp_max_ms, now_ms});
  } else {
    Entry& last = entries_.back();
    last.timestamp_max_ms = std::max(last.timestamp_max_ms, timestamp_max_ms);
  }
  bytes_total_ += batch_bytes;
  end_ = extent.end;
}

void WalIndex::Push(const Entry& entry) {
  MR_DCHECK(entries_.empty() || (entries_.back().base < entry.base && entries_.back().begin < entry.begin),
            entry.base.value(), entry.begin.value());
  if (entries_.size() == entries_.capacity()) MakeRoom();
  entries_.PushBack(entry);
}

void WalIndex::MakeRoom() {
  const std::size_t slots = entries_.capacity(), more = entries_.next_capacity() - slots;
  if (budget_ == nullptr || slots + more <= WalIndexBudget::kFreeSlots) return;
  if (budget_->TryTake(more * sizeof(Entry), slots + more)) {
    taken_ += more * sizeof(Entry);
    MR_CHECK(taken_ <= budget_->bytes_max(), taken_, budget_->bytes_max());
    return;
  }
  DropTooClose();  // intervals that were closed early stand close
  // A quarter at least, so that the work is worth it.
  while (entries_.size() > slots - slots / 4 && doublings_ < kDoublingsMax) {
    ++doublings_;
    DropTooClose();
  }
}

void WalIndex::DropTooClose() {
  MR_CHECK(!entries_.empty());
  const std::size_t needed = Find(kept_);
  std::size_t kept = 0;
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    const Entry entry = entries_[i];
    if (i == needed || FarEnough(entries_[kept], entry.begin, entry.bytes_before)) {
      entries_[++kept] = entry;
    } else {
      entries_[kept].timestamp_max_ms = std::max(entries_[kept].timestamp_max_ms, entry.timestamp_max_ms);
    }
  }
  entries_.Truncate(kept + 1);
  CheckInvariants();
}

void WalIndex::Settle() {
  if (entries_.size() <= entries_.capacity() / 4) entries_.ShrinkToFit();
  if (counted_bytes() >= taken_) return;
  MR_CHECK(budget_ != nullptr, taken_, counted_bytes());
  budget_->Give(taken_ - counted_bytes());
  taken_ = counted_bytes();
}

std::size_t WalIndex::Find(Offset offset) const {
  const std::size_t above = entries_.PartitionPoint([&](const Entry& entry) { return entry.base <= offset; });
  return above == 0 ? 0 : above - 1;
}

std::size_t WalIndex::FindAtOrAbove(Offset offset) const {
  return entries_.PartitionPoint([&](const Entry& entry) { return entry.base < offset; });
}

std::size_t WalIndex::FindBehind(WalPosition position) const {
  return entries_.PartitionPoint([&](const Entry& entry) { return entry.begin < position; });
}

std::uint64_t WalIndex::BytesBetween(Offset begin, Offset end) const {
  const std::size_t behind = FindAtOrAbove(end);
  const std::uint64_t from = entries_[Find(begin)].bytes_before;
  const std::uint64_t to = behind < entries_.size() ? entries_[behind].bytes_before : bytes_total_;
  return to - std::min(to, from);
}

std::uint64_t WalIndex::BytesFrom(Offset offset) const {
  if (entries_.empty()) return 0;
  const std::uint64_t before = entries_[Find(offset)].bytes_before;
  MR_CHECK(before <= bytes_total_, before, bytes_total_);
  return bytes_total_ - before;
}

WalIndex WalIndex::Restored(const std::vector<Entry>& entries, WalPosition end, std::uint64_t bytes_total) {
  WalIndex index;
  for (const Entry& entry : entries) index.entries_.PushBack(entry);
  index.end_ = end;
  index.bytes_total_ = bytes_total;
  index.interval_closed_ = true;
  index.CheckInvariants();
  return index;
}

WalIndex WalIndex::Copy() const {
  WalIndex copy;
  copy.Adopt(*this);
  return copy;
}

void WalIndex::Adopt(const WalIndex& other) {
  MR_CHECK(entries_.empty() && bytes_total_ == 0, bytes_total_);
  doublings_ = other.doublings_;
  interval_closed_ = other.interval_closed_;
  end_ = other.end_;
  bytes_total_ = other.bytes_total_;
  for (std::size_t i = 0; i < other.size(); ++i) Push(other[i]);
  CheckInvariants();
}

void WalIndex::DropBefore(WalPosition position) {
  bool dropped = false;
  for (; !entries_.empty() && entries_.front().begin < position; dropped = true) entries_.PopFront();
  if (!dropped) return;
  // Half the entries are enough now: as many again give the next intervals their former length.
  if (entries_.empty()) doublings_ = 0;
  if (doublings_ > 0 && entries_.size() <= entries_.capacity() / 2) --doublings_;
  Settle();
  CheckInvariants();
}

void WalIndex::Clear() {
  entries_.Clear();
  doublings_ = 0;
  Settle();
  MR_CHECK(taken_ == 0 && bytes_held() == 0, taken_, bytes_held());
}

void WalIndex::CheckInvariants() const {
#ifndef NDEBUG
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    const Entry &before = entries_[i - 1], &entry = entries_[i];
    MR_CHECK(before.base < entry.base && before.begin < entry.begin && before.bytes_before <= entry.bytes_before, i,
             before.base.value(), entry.base.value(), before.begin.value(), entry.begin.value());
  }
  MR_CHECK(entries_.empty() || (entries_.back().begin < end_ && entries_.back().bytes_before <= bytes_total_),
           end_.value(), bytes_total_);
#endif
}

}  // namespace millrace
