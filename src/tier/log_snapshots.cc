#include "tier/log_snapshots.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/crc32c.h"
#include "base/limited_wait.h"
#include "base/try.h"
#include "meta/every_row.h"
#include "meta/row_codec.h"
#include "meta/table_spec.h"
#include "tier/snapshot_format.h"

namespace millrace {
namespace {

constexpr std::size_t kPage = 10'000;  // changes
constexpr std::size_t kKept = 3;
constexpr std::uint64_t kObjectsBetween = 1'024;
constexpr std::chrono::hours kTimeBetween{1};
constexpr int kTriesMax = 4;  // while topics come and go

/// The number of the last change.
Result<ChangeNumber> LastChange(MetadataStore& metadata) {
  MR_ASSIGN_OR_RETURN(const auto last, metadata.Commit({}, {}));
  if (last) return *last;
  return Error(ErrorCode::kInternal, "metadata: a commit that expects nothing was refused");
}

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr PartitionKey kFirstPartition{TopicId(kLowest), PartitionId(0)};

/// The tables whose rows are no changes of the store.
template <class TakeRow>
Result<void> EachRowOfGroups(MetadataStore& metadata, const TakeRow& take) {
  MR_TRY(EveryRow(metadata, PositionKey{"", kFirstPartition}, take));
  MR_TRY(EveryRow(metadata, GroupKey{}, take));
  return EveryRow(metadata, GroupMemberKey{}, take);
}

/// Topics before their partitions, these before their segments, objects last: a segment is in it only if its object's
/// row is, which goes after it.
Result<void> AddAll(MetadataStore& metadata, SnapshotBuilder& to, std::vector<PartitionRow>& partitions) {
  const auto add = [&](const MetadataRow& row) {
    to.Add(row);
    if (const auto* partition = std::get_if<PartitionRow>(&row)) partitions.push_back(*partition);
  };
  MR_TRY(EveryRow(metadata, StoreKey{}, add));
  MR_TRY(EveryRow(metadata, TopicKey{TopicId(kLowest)}, add));
  MR_TRY(EveryRow(metadata, kFirstPartition, add));
  MR_TRY(EveryRow(metadata, EpochKey{kFirstPartition, LeaderEpoch(0)}, add));
  MR_TRY(EveryRow(metadata, SegmentEndKey{kFirstPartition, Offset(kLowest)}, add));
  MR_TRY(EveryRow(metadata, ObjectKey{}, add));
  return EachRowOfGroups(metadata, add);
}

/// Tells whether groups have moved, which no number of a change does. Without the rows' own CRCs: a CRC over bytes and
/// their CRC is the same for all bytes.
Result<std::uint32_t> SumOfGroups(MetadataStore& metadata) {
  constexpr std::size_t kCrcBytes = 4;
  std::uint32_t sum = 0;
  MR_TRY(EachRowOfGroups(metadata, [&](const MetadataRow& row) {
    const std::string encoded = EncodeRow(row);
    sum = Crc32c(AsBytes(encoded).first(encoded.size() - kCrcBytes), sum);
  }));
  return sum;
}

/// Whether a topic was made, changed or deleted behind `after`: then a snapshot may hold half of it.
Result<bool> TopicsChanged(MetadataStore& metadata, ChangeNumber after) {
  for (;;) {
    const auto changes = metadata.Changes(after, kPage);
    if (!changes && changes.error().code() == ErrorCode::kOutOfRange) return true;  // so many that they are not known
    if (!changes) return changes.error();
    for (const MetadataChange& change : *changes)
      if (std::holds_alternative<TopicKey>(change.key)) return true;
    if (changes->size() < kPage) return false;
    after = changes->back().number;
  }
}

}  // namespace

LogSnapshots::LogSnapshots(StoreClaim& claim, ObjectStore& objects, MetadataStore& metadata, Clock& time,
                           LogSnapshotsOptions options)
    : claim_(claim), objects_(objects), metadata_(metadata), time_(time), options_(std::move(options)) {}

Result<void> LogSnapshots::Enter() {
  LimitedWait wait(mutex_, left_, time_);
  MutexLock lock(mutex_);
  while (putting_) MR_TRY(wait.For("a snapshot of metadata", mutex_));
  putting_ = true;
  return {};
}

void LogSnapshots::Leave(std::optional<Last> last) {
  MutexLock lock(mutex_);
  putting_ = false;
  if (last) last_ = *last;
  left_.NotifyAll();
}

Result<void> LogSnapshots::Put() {
  MR_TRY(Enter());
  const bool wanted = options_.wanted != nullptr && options_.wanted->load(std::memory_order_relaxed);
  const Result<Last> put = PutNow(objects_ever_.load());
  if (!put && wanted) options_.wanted->store(true, std::memory_order_relaxed);
  Leave(put ? std::optional(*put) : std::nullopt);
  if (!put) return put.error().WithContext("putting a snapshot of metadata");
  return {};
}

Result<bool> LogSnapshots::PutIfDue(std::uint64_t objects_ever) {
  objects_ever_.store(objects_ever);
  if (claim_.claims() && options_.wanted != nullptr && options_.wanted->load(std::memory_order_relaxed)) {
    MR_TRY(Put());
    return true;
  }
  if (!claim_.claims() || claim_.generation().number == 0) return false;  // nothing was written by this process yet
  std::optional<Last> last;
  {
    MutexLock lock(mutex_);
    last = last_;
  }
  const auto now = time_.Monotonic();
  const bool many = objects_ever - (last ? last->objects : 0) >= kObjectsBetween;
  if (last && !many && now - last->at < kTimeBetween) return false;
  if (last) {
    MR_ASSIGN_OR_RETURN(const ChangeNumber change, LastChange(metadata_));
    bool changed = change != last->change;
    if (!changed) {
      MR_ASSIGN_OR_RETURN(const std::uint32_t groups, SumOfGroups(metadata_));
      changed = groups != last->groups;
    }
    if (!changed) return false;
  }
  MR_TRY(Put());
  return true;
}

SnapshotName LogSnapshots::NextName(const Generation& generation) {
  MutexLock lock(mutex_);
  if (next_.generation != generation.number) next_ = {.generation = generation.number, .nonce = generation.nonce};
  const SnapshotName name = next_;
  ++next_.number;
  return name;
}

Result<LogSnapshots::Last> LogSnapshots::PutNow(std::uint64_t objects_ever) {
  MR_TRY(claim_.Hold());
  const Generation generation = claim_.generation();
  for (int tried = 1;; ++tried) {
    MR_ASSIGN_OR_RETURN(const ChangeNumber change, LastChange(metadata_));
    MR_ASSIGN_OR_RETURN(const std::uint32_t groups, SumOfGroups(metadata_));
    const SnapshotHead head{.identity = StoredIdOf(claim_.keys().identity()),
                            .generation = generation.number,
                            .nonce = generation.nonce,
                            .change = change.value(),
                            .settled = claim_.settled(),
                            .written_ms = time_.WallMs()};  // before any row is read, as in an object's directory
    SnapshotBuilder builder(head);
    std::vector<PartitionRow> partitions;
    if (options_.wanted != nullptr) options_.wanted->store(false, std::memory_order_relaxed);  // it may be set again
    MR_TRY(AddAll(metadata_, builder, partitions));
    MR_ASSIGN_OR_RETURN(const bool changed, TopicsChanged(metadata_, change));
    if (changed && tried < kTriesMax) continue;
    if (changed) return Error(ErrorCode::kUnavailable, "topics are made and deleted all the while");
    // Behind the rows: so they tell of every batch of an object that these decide.
    if (options_.producers)
      for (const KnownProducer& producer : options_.producers()) builder.AddProducer(producer);
    const std::string key = claim_.keys().Snapshot(NextName(generation));
    const std::vector<SharedBytes> pieces = builder.Finish();
    MR_TRY(objects_.Put(key, pieces, PutMode::kOverwrite));
    MR_TRY(claim_.Prove());
    count_.fetch_add(1, std::memory_order_relaxed);
    if (options_.on_proven) options_.on_proven(partitions);
    (void)DropOlder();  // what cannot go now goes after the next one
    return Last{.change = change, .groups = groups, .at = time_.Monotonic(), .objects = objects_ever};
  }
}

/// All but the newest few. The newest was answered and proven: nobody needs the older ones, unless it is damaged.
Result<void> LogSnapshots::DropOlder() {
  std::vector<SnapshotName> names;
  std::string continuation;
  do {
    MR_ASSIGN_OR_RETURN(const ObjectPage page, objects_.List(claim_.keys().Snapshots(), continuation, 1'000));
    for (const ObjectDescription& listed : page.objects)
      if (const auto name = claim_.keys().SnapshotIn(listed.key)) names.push_back(*name);
    continuation = page.next;
  } while (!continuation.empty());
  std::ranges::sort(names, std::greater<>());
  for (std::size_t i = kKept; i < names.size(); ++i) MR_TRY(objects_.Delete(claim_.keys().Snapshot(names[i])));
  return {};
}

Result<void> AddSnapshotRows(MetadataStore& metadata, SnapshotBuilder& to) {
  std::vector<PartitionRow> partitions;
  return AddAll(metadata, to, partitions);
}

}  // namespace millrace
