#include "tier/object_collector.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "meta/home_catalog.h"
#include "meta/segment_catalog.h"
#include "millrace/request_scope.h"
#include "tier/log_snapshots.h"
#include "tier/step_budget.h"
#include "tier/store_claim.h"
#include "tier/store_keys.h"

namespace millrace {
namespace {

constexpr std::size_t kPage = 100;
constexpr std::size_t kListPage = 1'000;
constexpr std::chrono::seconds kStepMax{5};
constexpr std::chrono::hours kPauseMax{24};
constexpr std::size_t kWhyBytesMax = 500;

}  // namespace

ObjectCollector::ObjectCollector(const ObjectCollectorOptions& options, StoreClaim& claim, LogSnapshots& snapshots,
                                 ObjectStore& objects, MetadataStore& metadata, Clock& clock)
    : options_(options), claim_(claim), snapshots_(snapshots), objects_(objects), metadata_(metadata), clock_(clock) {}

ObjectCollector::Step ObjectCollector::CollectStep() {
  const StepBudget budget(clock_, kStepMax);
  const std::int64_t now_ms = clock_.WallMs();
  // A row changed in the future was changed before the clock went back: it is not old.
  const auto before = [&](std::chrono::milliseconds grace) {
    if (Planted(Bug::kTierNoGrace)) return std::numeric_limits<std::int64_t>::max();
    return now_ms - grace.count() + 1;
  };
  Step step;
  const auto note = [&](const Result<void>& result) {
    if (!result && !step.failure) step.failure = result.error();
  };
  auto prepared = SegmentCatalog(metadata_).ObjectsIn(ObjectState::kPrepared, before(options_.prepared_grace), kPage);
  if (!prepared) return {.failure = std::move(prepared).error()};
  std::size_t abandoned = 0;
  for (const ObjectRow& object : *prepared) {
    if (budget.over()) return {.more = true, .failure = step.failure};
    auto gone = SegmentCatalog(metadata_).AbandonObject(object.id, now_ms);
    if (!gone && gone.error().code() != ErrorCode::kAlreadyExists) {
      note(gone);
    } else {
      ++abandoned;
    }
  }
  step.more = prepared->size() == kPage && abandoned != 0;
  bool more = false;
  const auto deleting = Deletable(before(options_.delete_grace), more);
  if (!deleting) {
    note(deleting.error());
    return step;
  }
  step.more = step.more || more;
  if (auto vouched = Vouch(*deleting); !vouched) {
    note(vouched);
    return step;
  }
  if (Gone(*deleting)) {
    for (const ObjectRow& object : *deleting) note(Forget(object));
    KeepRefused(!step.more);
    return step;
  }
  // One by one: what cannot be deleted is to stop nothing else, and to be named.
  for (const ObjectRow& object : *deleting) {
    if (budget.over()) return {.more = true, .failure = step.failure};
    note(Delete(object));
  }
  KeepRefused(!step.more);
  return step;
}

Result<void> ObjectCollector::Load() {
  MR_ASSIGN_OR_RETURN(RefusedDeletions kept, ReadRefusedDeletions(metadata_));
  MutexLock lock(mutex_);
  told_ = kept_ = std::move(kept);
  return {};
}

RefusedDeletions ObjectCollector::undeletable() const {
  MutexLock lock(mutex_);
  return told_;
}

/// At the end of a step, for people: what cannot be kept now is kept after the next one.
void ObjectCollector::KeepRefused(bool all_tried) {
  RefusedDeletions now;
  {
    MutexLock lock(mutex_);
    told_.objects = all_tried ? refused_.size() : std::max<std::uint64_t>(told_.objects, refused_.size());
    if (told_.objects == 0) told_ = {};
    if (told_.objects > 0 && told_.since_ms == 0) told_.since_ms = clock_.WallMs();
    if (told_ == kept_) return;
    now = told_;
  }
  if (!KeepRefusedDeletions(metadata_, now)) return;
  MutexLock lock(mutex_);
  kept_ = std::move(now);
}

Result<bool> ObjectCollector::CollectOnce() {
  Step step = CollectStep();
  if (step.failure) return *std::move(step.failure);
  return step.more;
}

/// A page of those that are not in a pause after a refusal; metadata is asked for so many more that these cannot hide
/// behind the refused ones.
Result<std::vector<ObjectRow>> ObjectCollector::Deletable(std::int64_t changed_before_ms, bool& more) {
  const std::size_t size = kPage + refused();
  MR_ASSIGN_OR_RETURN(std::vector<ObjectRow> rows,
                      SegmentCatalog(metadata_).ObjectsIn(ObjectState::kDeleting, changed_before_ms, size));
  const bool all = rows.size() < size;
  MutexLock lock(mutex_);
  if (all) {
    std::set<ObjectId> present;
    for (const ObjectRow& row : rows) present.insert(row.id);
    std::erase_if(refused_, [&](const auto& entry) { return !present.contains(entry.first); });
  }
  const auto now = clock_.Monotonic();
  std::erase_if(rows, [&](const ObjectRow& row) MR_REQUIRES(mutex_) {
    const auto found = refused_.find(row.id);
    return found != refused_.end() && found->second.retry_at > now;
  });
  std::ranges::partition(rows, [&](const ObjectRow& row) MR_REQUIRES(mutex_) { return !refused_.contains(row.id); });
  more = !all && !rows.empty();
  if (rows.size() > kPage) {
    rows.resize(kPage);
    more = true;
  }
  return rows;
}

/// Before the first deletion of a step. A snapshot covers all that was given up before it was begun, also what is still
/// within its grace: one of them serves for as long as that lasts.
Result<void> ObjectCollector::Vouch(std::span<const ObjectRow> objects) {
  if (objects.empty() || !claim_.claims()) return {};
  bool covered = false;
  {
    MutexLock lock(mutex_);
    covered = std::ranges::all_of(objects,
                                  [&](const ObjectRow& row) MR_REQUIRES(mutex_) { return vouched_.contains(row.id); });
  }
  if (!covered && !Planted(Bug::kTierDeleteUnvouched)) {
    constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();
    MR_ASSIGN_OR_RETURN(const auto given_up, SegmentCatalog(metadata_).ObjectsIn(ObjectState::kDeleting, kEver,
                                                                                 std::numeric_limits<int>::max()));
    MR_TRY(snapshots_.Put());  // begun after these were read
    MutexLock lock(mutex_);
    vouched_.clear();
    for (const ObjectRow& row : given_up) vouched_.insert(row.id);
  }
  return claim_.Prove();
}

std::size_t ObjectCollector::refused() const {
  MutexLock lock(mutex_);
  return refused_.size();
}

/// The first refusal is tried again with the next look, since a store stumbles now and then.
void ObjectCollector::Refuse(const ObjectId& id, const Error& error) {
  MutexLock lock(mutex_);
  if (told_.why.empty()) told_.why = std::string(error.message()).substr(0, kWhyBytesMax);
  Refused& refused = refused_[id];
  const std::chrono::seconds pause((std::int64_t{1} << std::min<std::uint32_t>(refused.tries++, 20)) - 1);
  refused.retry_at = clock_.Monotonic() + std::min<std::chrono::nanoseconds>(pause, kPauseMax);
}

/// Whether all of them were deleted, in one request where the store can.
bool ObjectCollector::Gone(std::span<const ObjectRow> objects) {
  std::vector<std::string> keys;
  for (const ObjectRow& object : objects) keys.push_back(object.key);
  return keys.size() > 1 && objects_.DeleteMany(keys).has_value();
}

Result<void> ObjectCollector::Delete(const ObjectRow& object) {
  MR_DCHECK(object.state == ObjectState::kDeleting, object.key);
  if (auto deleted = objects_.Delete(object.key); !deleted) {
    // A request that ended because the caller had no more time was not refused.
    if (!RequestScope::Current().stop.stop_requested()) Refuse(object.id, deleted.error());
    return deleted;
  }
  return Forget(object);
}

/// Rows go last: until then the object is known, and the deletion can be repeated.
Result<void> ObjectCollector::Forget(const ObjectRow& object) {
  ++deleted_;
  {
    MutexLock lock(mutex_);
    refused_.erase(object.id);
    vouched_.erase(object.id);
  }
  if (Planted(Bug::kTierRowsLeftBehind)) return {};
  auto forgotten = SegmentCatalog(metadata_).ForgetObject(object.id);
  if (!forgotten && forgotten.error().code() == ErrorCode::kNotFound) return {};  // another collector did it meanwhile
  return forgotten;
}

Result<void> ObjectCollector::ListPage(Listing& listing) {
  const std::int64_t old_ms = clock_.WallMs() - std::max(options_.delete_grace, options_.prepared_grace).count();
  MR_ASSIGN_OR_RETURN(ObjectPage page, objects_.List(claim_.keys().Objects(), listing.continuation, kListPage));
  MR_ASSIGN_OR_RETURN(const std::uint32_t taken_over, HomeCatalog(metadata_).TakenOver());
  MR_ASSIGN_OR_RETURN(const Generation held, HomeCatalog(metadata_).Held());
  for (const ObjectDescription& listed : page.objects) {
    const auto name = claim_.keys().ObjectIn(listed.key);
    // What another directory put, before this one took the log over, or after, is not this one's to judge.
    if (!name || name->generation <= taken_over || name->generation > held.number) continue;
    const std::optional<ObjectId> id = ObjectIdOf(*name);
    if (Planted(Bug::kTierCollectByListing)) {
      MR_TRY(objects_.Delete(listed.key));
      continue;
    }
    if (listed.modified_ms == 0 || listed.modified_ms > old_ms) continue;
    MR_ASSIGN_OR_RETURN(const auto known, SegmentCatalog(metadata_).FindObject(*id));
    if (known) continue;
    listing.proposals.push_back({.id = *id, .key = listed.key, .size_bytes = listed.size_bytes});
  }
  listing.continuation = std::move(page.next);
  return {};
}

Result<std::uint64_t> ObjectCollector::Propose(std::vector<ObjectRow> orphans) {
  for (ObjectRow& orphan : orphans) {
    MR_CHECK(orphan.state == ObjectState::kPrepared, orphan.key);
    orphan.changed_ms = clock_.WallMs();
    MR_TRY(SegmentCatalog(metadata_).PrepareObject(orphan));
  }
  return orphans.size();
}

Result<bool> ObjectCollector::ListOnce() {
  Listing listing;
  {
    MutexLock lock(mutex_);
    listing = std::exchange(listing_, {});
  }
  MR_TRY(ListPage(listing));
  if (listing.continuation.empty()) {
    MR_TRY(Propose(std::move(listing.proposals)));
    return false;
  }
  MutexLock lock(mutex_);
  listing_ = std::move(listing);
  return true;
}

Result<std::uint64_t> ObjectCollector::ProposeOrphans() {
  Listing listing;
  do {
    MR_TRY(ListPage(listing));
  } while (!listing.continuation.empty());
  return Propose(std::move(listing.proposals));
}

}  // namespace millrace
