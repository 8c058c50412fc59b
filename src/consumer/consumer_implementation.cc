#include "consumer/consumer_implementation.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/deadline.h"
#include "base/try.h"
#include "consumer/position_store.h"
#include "env/for_each.h"

namespace millrace {
namespace {

constexpr std::uint64_t kBufferBytes = 64 << 20;  // of all partitions together
constexpr std::uint64_t kReadBytesMax = 1 << 20, kReadBytesMin = 64 << 10;

Error NotRead(const TopicPartition& partition) {
  return {ErrorCode::kNotFound,
          fmt::format("the consumer does not read {}/{}", partition.topic, partition.partition.value())};
}

}  // namespace

Consumer::Implementation::Implementation(const ConsumerSettings& settings, ConsumerShares& table,
                                         std::shared_ptr<CallGate> engine, std::shared_ptr<ConsumerMember> member)
    : settings_(settings), table_(table), engine_(std::move(engine)), member_(std::move(member)) {}

Result<std::unique_ptr<Consumer>> Consumer::Implementation::Open(const ConsumerSettings& settings,
                                                                 ConsumerShares& table,
                                                                 std::shared_ptr<CallGate> engine,
                                                                 std::shared_ptr<ConsumerMember> member) {
  std::unique_ptr<Implementation> consumer(new Implementation(settings, table, std::move(engine), std::move(member)));
  {
    MR_ASSIGN_OR_RETURN(const Gate::Pass inside, consumer->Enter());
    MR_TRY(consumer->Refresh());
  }
  return std::make_unique<Consumer>(std::move(consumer));
}

Result<Gate::Pass> Consumer::Implementation::Enter() const {
  Gate::Pass inside = member_->calls.Enter();
  if (!inside) return Error(ErrorCode::kClosed, "the consumer is closed");
  MR_TRY(CheckNotEnded());
  return inside;
}

Result<void> Consumer::Implementation::CheckNotEnded() const { return member_->CheckNotEnded(); }

/// Partitions may have come or gone: another consumer of the group, a topic that grew. Costs nothing otherwise.
Result<void> Consumer::Implementation::Refresh() {
  if (!member_->stale.load(std::memory_order_acquire)) return {};
  const std::vector<PartitionSource*> sources = table_.Take(*member_);
  const std::unordered_set<PartitionSource*> wanted(sources.begin(), sources.end());
  std::unordered_map<PartitionSource*, std::unique_ptr<Served>> had;
  for (auto& served : served_) {
    if (wanted.contains(served->source)) {
      had.emplace(served->source, std::move(served));
      continue;
    }
    // What was polled from it and is not committed comes again, to the member that reads it now.
    served->feed.Close();
    left_.Add(served->feed.explanation());
    for (DamagedRange& range : served->feed.TakeSkipped()) left_skipped_.push_back(std::move(range));
  }
  std::vector<PartitionSource*> fresh;
  std::ranges::copy_if(sources, std::back_inserter(fresh), [&](PartitionSource* each) { return !had.contains(each); });
  auto begun = Begin(fresh, sources.size());
  if (begun) {
    for (auto& served : *begun) had.emplace(served->source, std::move(served));
  } else {
    member_->stale.store(true);  // they are ours and not read yet: the next call tries again
  }
  served_.clear();
  for (PartitionSource* source : sources)
    if (const auto found = had.find(source); found != had.end()) served_.push_back(std::move(found->second));
  turn_ = served_.empty() ? 0 : turn_ % served_.size();
  if (!begun) return std::move(begun).error();
  return {};
}

/// Partitions that are read from now on, from where the group left off; `of` are read in all.
Result<Consumer::Implementation::ServedList> Consumer::Implementation::Begin(
    const std::vector<PartitionSource*>& sources, std::size_t of) {
  std::vector<PartitionPosition> committed;
  if (!settings_.group.empty() && !sources.empty()) {
    MR_ASSIGN_OR_RETURN(committed, table_.positions().Load(settings_.group));
  }
  ReadLimits limits;
  limits.bytes_max = std::clamp(kBufferBytes / std::max<std::uint64_t>(of, 1), kReadBytesMin, kReadBytesMax);
  limits.on_damage = settings_.on_damage;
  ServedList begun;
  for (PartitionSource* source : sources) {
    const auto found = std::ranges::lower_bound(committed, source->key(), {}, &PartitionPosition::partition);
    std::optional<Offset> start;
    if (found != committed.end() && found->partition == source->key()) start = found->position;
    auto served = std::make_unique<Served>(Served{.source = source,
                                                  .name = source->name(),
                                                  .topic = *topics_.insert(source->name().topic).first,
                                                  .feed = PartitionFeed(*source, settings_.reset, limits),
                                                  .committed = start});
    MR_TRY(served->feed.Start(start));
    served->corrected_from = table_.positions().CorrectedFrom(settings_.group, source->key());
    if (start && *start > served->feed.position()) served->corrected_from = start;
    begun.push_back(std::move(served));
  }
  return begun;
}

Result<std::vector<ConsumedView>> Consumer::Implementation::PollViews(std::size_t max_records,
                                                                      std::chrono::milliseconds wait) {
  MR_ASSIGN_OR_RETURN(const Gate::Pass inside, Enter());
  if (max_records == 0) max_records = settings_.fetch_size;
  const std::chrono::nanoseconds deadline = DeadlineAfter(table_.clock().Monotonic(), wait);
  while (true) {
    const std::uint64_t rings = member_->bell->rings();  // whatever comes from now on is looked at, or ends the waiting
    MR_TRY(CheckNotEnded());
    if (member_->calls.closed()) return Error(ErrorCode::kClosed, "the consumer is closed");
    MR_TRY(Refresh());
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
    if (wait <= wait.zero()) {
      member_->wakeup = false;
      return records;
    }
    if (!AwaitRecords(rings, deadline)) return records;
  }
}

/// Records of the partitions in turn, in rounds until there are enough or no more. A partition that fails leaves its
/// error for later and stops no other.
std::vector<ConsumedView> Consumer::Implementation::Gather(std::size_t max_records) {
  std::vector<ConsumedView> records;
  const std::size_t first = turn_;
  bool more = true;
  while (more && records.size() < max_records && !pending_error_) {
    more = false;
    FillWaitingFeeds();
    for (std::size_t i = 0; i < served_.size() && records.size() < max_records; ++i) {
      const std::size_t index = (first + i) % served_.size();
      Served& served = *served_[index];
      PartitionFeed& feed = served.feed;
      const auto filled = feed.Fill();
      if (!filled) {
        if (!pending_error_) pending_error_ = filled.error();
        continue;
      }
      if (!*filled) continue;
      more = true;
      if (records.empty()) {
        records.reserve(std::min(max_records, feed.buffered()));
        turn_ = (index + 1) % served_.size();  // the next poll begins behind the one that came first in this one
      }
      while (feed.buffered() > 0 && records.size() < max_records)
        records.emplace_back(feed.Take(), served.topic, served.name.partition);
    }
  }
  return records;
}

/// Partitions that have to wait for the object store wait together.
void Consumer::Implementation::FillWaitingFeeds() {
  if (!settings_.read_pool) return;
  std::vector<PartitionFeed*> waiting;
  for (const auto& served : served_)
    if (served->feed.MayWait()) waiting.push_back(&served->feed);
  if (waiting.size() < 2) return;
  ForEach(waiting.size(), settings_.read_pool(), [&](std::size_t i) { waiting[i]->FillAhead(); });
}

/// True: something happened since `rings`, look again. False: the deadline passed, or Wakeup.
bool Consumer::Implementation::AwaitRecords(std::uint64_t rings, std::chrono::nanoseconds deadline) {
  std::vector<std::uint64_t> tickets;
  for (const auto& served : served_)
    tickets.push_back(served->source->AddWaiter(served->feed.read_from(), [bell = member_->bell] { bell->Ring(); }));
  const bool rung = !member_->wakeup && member_->bell->Await(rings, deadline, table_.clock());
  for (std::size_t i = 0; i < served_.size(); ++i) served_[i]->source->CancelWaiter(tickets[i]);
  // One Wakeup ends one Poll, whatever else woke it.
  return !member_->wakeup.exchange(false) && rung;
}

Consumer::Implementation::Served* Consumer::Implementation::Find(const TopicPartition& partition) const {
  const auto found = std::ranges::find_if(served_, [&](const auto& served) { return served->name == partition; });
  return found == served_.end() ? nullptr : found->get();
}

Result<void> Consumer::Implementation::Commit() {
  MR_ASSIGN_OR_RETURN(const Gate::Pass inside, Enter());
  if (settings_.group.empty()) return {};
  std::vector<Served*> changed;
  for (const auto& served : served_)
    if (served->committed != served->feed.position()) changed.push_back(served.get());
  MR_TRY(StoreWhatExists(changed));
  for (Served* served : changed) served->committed = served->feed.position();
  // What another member takes from here on is committed already. Should this fail, the next call meets it again.
  (void)Refresh();
  return {};
}

/// Together; if one of them is of a topic that is gone, each by itself, and those are forgotten.
Result<void> Consumer::Implementation::StoreWhatExists(const std::vector<Served*>& changed) {
  if (changed.empty()) return {};
  std::vector<PartitionPosition> positions;
  for (const Served* served : changed) positions.push_back({served->source->key(), served->feed.position()});
  auto stored = table_.positions().Store(settings_.group, positions);
  if (stored || stored.error().code() != ErrorCode::kNotFound) return stored;
  for (const PartitionPosition& position : positions) {
    auto each = table_.positions().Store(settings_.group, {&position, 1});
    if (!each && each.error().code() != ErrorCode::kNotFound) return each;
  }
  return {};
}

Result<void> Consumer::Implementation::Seek(const TopicPartition& partition, Offset position) {
  MR_ASSIGN_OR_RETURN(const Gate::Pass inside, Enter());
  Served* served = Find(partition);
  if (served == nullptr) return NotRead(partition);
  if (position < Offset(0))
    return Error(ErrorCode::kInvalidArgument, fmt::format("an offset is at least 0, not {}", position.value()));
  served->feed.Seek(position);
  return {};
}

Result<void> Consumer::Implementation::SeekToTime(std::int64_t timestamp_ms) {
  MR_ASSIGN_OR_RETURN(const Gate::Pass inside, Enter());
  std::vector<Offset> offsets;
  for (const auto& served : served_) {
    MR_ASSIGN_OR_RETURN(const Offset offset, served->source->OffsetForTime(timestamp_ms));
    offsets.push_back(offset);
  }
  for (std::size_t i = 0; i < served_.size(); ++i) served_[i]->feed.Seek(offsets[i]);
  return {};
}

Result<Offset> Consumer::Implementation::Position(const TopicPartition& partition) const {
  MR_ASSIGN_OR_RETURN(const Gate::Pass inside, Enter());
  if (const Served* served = Find(partition)) return served->feed.position();
  return NotRead(partition);
}

std::vector<TopicPartition> Consumer::Implementation::Assignment() const {
  std::vector<TopicPartition> names;
  for (const auto& served : served_) names.push_back(served->name);
  return names;
}

std::optional<Offset> Consumer::Implementation::CorrectedFrom(const TopicPartition& partition) const {
  const Served* served = Find(partition);
  return served == nullptr ? std::nullopt : served->corrected_from;
}

ReadExplanation Consumer::Implementation::Explanation() const {
  ReadExplanation sum = left_;
  for (const auto& served : served_) sum.Add(served->feed.explanation());
  return sum;
}

std::vector<DamagedRange> Consumer::Implementation::TakeSkipped() {
  std::vector<DamagedRange> skipped = std::exchange(left_skipped_, {});
  for (const auto& served : served_)
    for (DamagedRange& range : served->feed.TakeSkipped()) skipped.push_back(std::move(range));
  return skipped;
}

void Consumer::Implementation::Wakeup() {
  member_->wakeup = true;
  member_->bell->Ring();
}

Result<void> Consumer::Implementation::Close() {
  member_->calls.Shut();
  member_->bell->Ring();
  member_->calls.Close();
  if (closed_.exchange(true)) return {};
  const CallGate::Pass pass(engine_.get());
  if (!pass) return {};  // the engine was closed, and nothing of it may be touched any more
  for (const auto& served : served_) served->feed.Close();
  table_.Leave(*member_);
  return {};
}

}  // namespace millrace
