#include "tier/object_collector.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/bugs.h"
#include "base/try.h"
#include "tier/segment_uploader.h"

namespace millrace {
namespace {

constexpr std::size_t kPage = 100;
constexpr std::size_t kListPage = 1'000;

}  // namespace

ObjectCollector::ObjectCollector(const ObjectCollectorOptions& options, ObjectStore& objects, MetadataStore& metadata,
                                 Clock& clock)
    : options_(options), objects_(objects), metadata_(metadata), clock_(clock) {}

Result<bool> ObjectCollector::CollectOnce() {
  const std::int64_t now_ms = clock_.WallMs();
  // A row changed in the future was changed before the clock went back: it is not old.
  const auto before = [&](std::chrono::milliseconds grace) {
    if (Planted(Bug::kTierNoGrace)) return std::numeric_limits<std::int64_t>::max();
    return now_ms - grace.count() + 1;
  };
  std::optional<Error> error;
  const auto note = [&](const Result<void>& result) {
    if (!result && !error) error = result.error();
  };
  MR_ASSIGN_OR_RETURN(const auto prepared,
                      metadata_.ObjectsIn(ObjectState::kPrepared, before(options_.prepared_grace), kPage));
  for (const ObjectRow& object : prepared) {
    auto abandoned = metadata_.AbandonObject(object.id, now_ms);
    if (!abandoned && abandoned.error().code() != ErrorCode::kAlreadyExists) note(abandoned);
  }
  MR_ASSIGN_OR_RETURN(const auto deleting,
                      metadata_.ObjectsIn(ObjectState::kDeleting, before(options_.delete_grace), kPage));
  if (Gone(deleting)) {
    for (const ObjectRow& object : deleting) note(Forget(object));
  } else {
    // One by one: what cannot be deleted is to stop nothing else, and to be named.
    for (const ObjectRow& object : deleting) note(Delete(object));
  }
  if (error) return *std::move(error);
  return prepared.size() == kPage || deleting.size() == kPage;
}

/// Whether all of them were deleted, in one request where the store can.
bool ObjectCollector::Gone(std::span<const ObjectRow> objects) {
  std::vector<std::string> keys;
  for (const ObjectRow& object : objects) keys.push_back(object.key);
  return keys.size() > 1 && objects_.DeleteMany(keys).has_value();
}

Result<void> ObjectCollector::Delete(const ObjectRow& object) {
  MR_TRY(objects_.Delete(object.key));
  return Forget(object);
}

/// Rows go last: until then the object is known, and the deletion can be repeated.
Result<void> ObjectCollector::Forget(const ObjectRow& object) {
  ++deleted_;
  if (Planted(Bug::kTierRowsLeftBehind)) return {};
  auto forgotten = metadata_.ForgetObject(object.id);
  if (!forgotten && forgotten.error().code() == ErrorCode::kNotFound) return {};  // somebody else did it meanwhile
  return forgotten;
}

Result<std::uint64_t> ObjectCollector::ProposeOrphans() {
  const std::int64_t old_ms = clock_.WallMs() - std::max(options_.delete_grace, options_.prepared_grace).count();
  std::vector<ObjectRow> proposals;
  std::string continuation;
  do {
    MR_ASSIGN_OR_RETURN(ObjectPage page, objects_.List(options_.key_prefix, continuation, kListPage));
    for (const ObjectDescription& listed : page.objects) {
      const auto id = ObjectIdIn(options_.key_prefix, listed.key);
      if (!id) continue;  // not ours
      if (Planted(Bug::kTierCollectByListing)) {
        MR_TRY(objects_.Delete(listed.key));
        continue;
      }
      if (listed.modified_ms == 0 || listed.modified_ms > old_ms) continue;
      MR_ASSIGN_OR_RETURN(const auto known, metadata_.FindObject(*id));
      if (known) continue;
      proposals.push_back({.id = *id, .key = listed.key, .size_bytes = listed.size_bytes});
    }
    continuation = std::move(page.next);
  } while (!continuation.empty());
  for (ObjectRow& orphan : proposals) {
    orphan.changed_ms = clock_.WallMs();
    MR_TRY(metadata_.PrepareObject(orphan));
  }
  return proposals.size();
}

}  // namespace millrace
