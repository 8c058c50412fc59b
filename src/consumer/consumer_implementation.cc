#include "consumer/consumer_implementation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "env/for_each.h"

namespace millrace {
namespace {

constexpr std::uint64_t kBufferBytes = 64 << 20;  // of all partitions together
constexpr std::uint64_t kReadBytesMax = 1 << 20, kReadBytesMin = 64 << 10;

}  // namespace

Result<std::unique_ptr<Consumer>> Consumer::Implementation::Open(const ConsumerSettings& settings,
                                                                 std::span<PartitionSource* const> sources,
                                                                 PositionStore& positions, Clock& clock) {
  std::vector<PartitionPosition> committed;
  if (!settings.group.empty()) {
    MR_TRY(CheckGroupName(settings.group));
    MR_ASSIGN_OR_RETURN(committed, positions.Load(settings.group));
  }
  std::unique_ptr<Implementation> consumer(new Implementation(settings, positions, clock));
  ReadLimits limits;
  limits.bytes_max =
      std::clamp(kBufferBytes / std::max<std::uint64_t>(sources.size(), 1), kReadBytesMin, kReadBytesMax);
  limits.on_damage = settings.on_damage;
  for (PartitionSource* source : sources) {
    const auto found = std::ranges::lower_bound(committed, source->key(), {}, &PartitionPosition::partition);
    std::optional<Offset> start;
    if (found != committed.end() && found->partition == source->key()) start = found->position;
    auto feed = std::make_unique<PartitionFeed>(*source, settings.reset, limits);
    MR_TRY(feed->Start(start));
    consumer->feeds_.push_back(std::move(feed));
    consumer->committed_.push_back(start);
  }
  return std::make_unique<Consumer>(std::move(consumer));
}

Result<void> Consumer::Implementation::CheckOpen() const {
  if (closed_) return Error(ErrorCode::kClosed, "the consumer is closed");
  return {};
}

Result<std::vector<ConsumedView>> Consumer::Implementation::PollViews(std::size_t max_records,
                                                                      std::chrono::milliseconds wait) {
  MR_TRY(CheckOpen());
  if (max_records == 0) max_records = settings_.fetch_size;
  const std::chrono::nanoseconds deadline = clock_.Monotonic() + wait;
  while (true) {
    if (pending_error_ && !told_error_) {
      told_error_ = true;
      return *std::exchange(pending_error_, {});
    }
    std::vector<ConsumedView> records = Gather(max_records);
    if (!records.empty()) {
      told_error_ = false;
      return records;
    }
    if (pending_error_) {
      told_error_ = true;
      return *std::exchange(pending_error_, {});
    }
    told_error_ = false;
    if (TakeWakeup() || wait <= wait.zero() || !AwaitRecords(deadline)) return records;
  }
}

/// Records of the partitions in turn, in rounds until there are enough or no more. A partition that fails leaves its
/// error for later and stops nobody.
std::vector<ConsumedView> Consumer::Implementation::Gather(std::size_t max_records) {
  std::vector<ConsumedView> records;
  const std::size_t first = turn_;
  bool more = true;
  while (more && records.size() < max_records && !pending_error_) {
    more = false;
    FillWaitingFeeds();
    for (std::size_t i = 0; i < feeds_.size() && records.size() < max_records; ++i) {
      const std::size_t index = (first + i) % feeds_.size();
      PartitionFeed& feed = *feeds_[index];
      const TopicPartition& name = feed.source().name();
      const auto filled = feed.Fill();
      if (!filled) {
        if (!pending_error_) pending_error_ = filled.error();
        continue;
      }
      if (!*filled) continue;
      more = true;
      if (records.empty()) {
        records.reserve(std::min(max_records, feed.buffered()));
        turn_ = (index + 1) % feeds_.size();  // the next poll begins behind the one that came first in this one
      }
      while (feed.buffered() > 0 && records.size() < max_records)
        records.emplace_back(feed.Take(), name.topic, name.partition);
    }
  }
  return records;
}

/// Partitions that have to wait for the object store wait together.
void Consumer::Implementation::FillWaitingFeeds() {
  if (!settings_.read_pool) return;
  std::vector<PartitionFeed*> waiting;
  for (const auto& feed : feeds_)
    if (feed->MayWait()) waiting.push_back(feed.get());
  if (waiting.size() < 2) return;
  ForEach(waiting.size(), settings_.read_pool(), [&](std::size_t i) { waiting[i]->FillAhead(); });
}

bool Consumer::Implementation::TakeWakeup() {
  MutexLock lock(bell_->mutex);
  return std::exchange(bell_->wakeup, false);
}

/// False: the deadline passed, or Wakeup.
bool Consumer::Implementation::AwaitRecords(std::chrono::nanoseconds deadline) {
  {
    MutexLock lock(bell_->mutex);
    bell_->records = false;
  }
  std::vector<std::uint64_t> tickets;
  for (const auto& feed : feeds_) {
    tickets.push_back(feed->source().AddWaiter(feed->read_from(), [bell = bell_] {
      MutexLock lock(bell->mutex);
      bell->records = true;
      bell->rung.NotifyAll();
    }));
  }
  bool woken = false;
  {
    MutexLock lock(bell_->mutex);
    while (!bell_->records && !bell_->wakeup) {
      const auto left = deadline - clock_.Monotonic();
      if (left <= left.zero()) break;
      bell_->rung.WaitFor(bell_->mutex, left);
    }
    woken = bell_->records && !std::exchange(bell_->wakeup, false);
  }
  for (std::size_t i = 0; i < feeds_.size(); ++i) feeds_[i]->source().CancelWaiter(tickets[i]);
  return woken;
}

PartitionFeed* Consumer::Implementation::Find(const TopicPartition& partition) const {
  const auto found = std::ranges::find_if(feeds_, [&](const auto& feed) { return feed->source().name() == partition; });
  return found == feeds_.end() ? nullptr : found->get();
}

Result<void> Consumer::Implementation::Commit() {
  MR_TRY(CheckOpen());
  if (settings_.group.empty()) return {};
  std::vector<PartitionPosition> changed;
  for (std::size_t i = 0; i < feeds_.size(); ++i)
    if (committed_[i] != feeds_[i]->position()) changed.push_back({feeds_[i]->source().key(), feeds_[i]->position()});
  MR_TRY(positions_.Store(settings_.group, changed));
  for (std::size_t i = 0; i < feeds_.size(); ++i) committed_[i] = feeds_[i]->position();
  return {};
}

Result<void> Consumer::Implementation::Seek(const TopicPartition& partition, Offset position) {
  MR_TRY(CheckOpen());
  PartitionFeed* feed = Find(partition);
  if (feed == nullptr)
    return Error(ErrorCode::kNotFound,
                 fmt::format("the consumer does not read {}/{}", partition.topic, partition.partition.value()));
  if (position < Offset(0))
    return Error(ErrorCode::kInvalidArgument, fmt::format("an offset is at least 0, not {}", position.value()));
  feed->Seek(position);
  return {};
}

Result<void> Consumer::Implementation::SeekToTime(std::int64_t timestamp_ms) {
  MR_TRY(CheckOpen());
  std::vector<Offset> offsets;
  for (const auto& feed : feeds_) {
    MR_ASSIGN_OR_RETURN(const Offset offset, feed->source().OffsetForTime(timestamp_ms));
    offsets.push_back(offset);
  }
  for (std::size_t i = 0; i < feeds_.size(); ++i) feeds_[i]->Seek(offsets[i]);
  return {};
}

Result<Offset> Consumer::Implementation::Position(const TopicPartition& partition) const {
  MR_TRY(CheckOpen());
  if (const PartitionFeed* feed = Find(partition)) return feed->position();
  return Error(ErrorCode::kNotFound,
               fmt::format("the consumer does not read {}/{}", partition.topic, partition.partition.value()));
}

std::vector<TopicPartition> Consumer::Implementation::Assignment() const {
  std::vector<TopicPartition> names;
  for (const auto& feed : feeds_) names.push_back(feed->source().name());
  return names;
}

ReadExplanation Consumer::Implementation::Explanation() const {
  ReadExplanation sum;
  for (const auto& feed : feeds_) sum.Add(feed->explanation());
  return sum;
}

std::vector<DamagedRange> Consumer::Implementation::TakeSkipped() {
  std::vector<DamagedRange> skipped;
  for (const auto& feed : feeds_)
    for (DamagedRange& range : feed->TakeSkipped()) skipped.push_back(std::move(range));
  return skipped;
}

void Consumer::Implementation::Wakeup() {
  MutexLock lock(bell_->mutex);
  bell_->wakeup = true;
  bell_->rung.NotifyAll();
}

Result<void> Consumer::Implementation::Close() {
  closed_ = true;
  for (const auto& feed : feeds_) feed->Close();
  return {};
}

}  // namespace millrace
