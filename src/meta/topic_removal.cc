#include "meta/topic_removal.h"

#include <chrono>
#include <limits>
#include <set>
#include <thread>
#include <utility>

#include "base/try.h"
#include "meta/find_row.h"

namespace millrace {
namespace {

/// Positions are ordered by group, so those of a topic are looked for among all.
constexpr std::size_t kPositionsAPage = 1'000;

Result<std::vector<EpochRow>> EpochsOf(MetadataStore& store, TopicId topic, std::size_t max) {
  const LeaderEpoch lowest(std::numeric_limits<std::int32_t>::min());
  return ScanRows(store, EpochKey{{topic, PartitionId(0)}, lowest},
                  EpochKey{{TopicId(topic.value() + 1), PartitionId(0)}, lowest}, max);
}

PositionKey Behind(PositionKey key) {
  key.partition.partition = PartitionId(key.partition.partition.value() + 1);
  return key;
}

}  // namespace

void LetOthersIn() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

Result<TopicRemains> TopicRemoval::Look() {
  TopicRemains remains;
  const SegmentEndKey first{{topic_, PartitionId(0)}, Offset(std::numeric_limits<std::int64_t>::min())};
  const SegmentEndKey end{{TopicId(topic_.value() + 1), PartitionId(0)}, first.end};
  MR_ASSIGN_OR_RETURN(remains.segments, ScanRows(store_, first, end, kSegmentsAtOnce));
  std::set<ObjectId> ids;
  for (const SegmentRow& segment : remains.segments)
    if (!segment.is_gap()) ids.insert(segment.object);
  MR_ASSIGN_OR_RETURN(remains.objects, FindRows(store_, std::vector<ObjectKey>(ids.begin(), ids.end())));
  if (remains.segments.size() == kSegmentsAtOnce) return remains;
  MR_ASSIGN_OR_RETURN(remains.epochs, EpochsOf(store_, topic_, kEpochsAtOnce));
  if (remains.epochs.size() == kEpochsAtOnce) return remains;
  looked_to_ = from_;
  while (remains.positions.size() < kPositionsAPage) {
    MR_ASSIGN_OR_RETURN(const auto page, ScanRows(store_, looked_to_, EndOfTable{}, kPositionsAPage));
    for (const PositionRow& position : page)
      if (position.key.partition.topic == topic_) remains.positions.push_back(position);
    remains.all = page.size() < kPositionsAPage;
    if (remains.all) break;
    looked_to_ = Behind(page.back().key);
  }
  return remains;
}

Result<bool> TopicRemoval::Step() {
  bool more = true;
  looked_to_ = from_;
  MR_TRY(CarryOut(store_, [&](EarlierAttempt) -> Result<Transition> {
    MR_ASSIGN_OR_RETURN(const auto removal, FindRow(store_, RemovalKey{topic_}));
    more = removal.has_value();
    if (!removal) return Transition();
    MR_ASSIGN_OR_RETURN(const TopicRemains remains, Look());
    more = !remains.all;
    return RemoveRemainsRule(*removal, remains);
  }));
  from_ = looked_to_;
  return more;
}

void TopicRemoval::Finish() {
  for (;;) {
    LetOthersIn();
    if (const auto more = Step(); !more || !*more) return;
  }
}

Result<void> ResumeRemoval(MetadataStore& store) {
  MR_ASSIGN_OR_RETURN(const auto removals,
                      ScanRows(store, RemovalKey{TopicId(std::numeric_limits<std::int64_t>::min())}, EndOfTable{}, 1));
  if (removals.empty()) return {};
  MR_TRY(TopicRemoval(store, removals[0].topic).Step());
  return {};
}

}  // namespace millrace
