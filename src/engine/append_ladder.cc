#include "engine/append_ladder.h"

#include <utility>

#include "base/check.h"

namespace millrace {

static_assert(Durability::kOs < Durability::kDisk && Durability::kDisk < Durability::kObject, "rungs are compared");

const Error* RungFailures::Of(Durability rung, const StagedAppend& append) const {
  MR_DCHECK(rung != Durability::kOs);  // what is staged stands on it, and nothing fails there
  if (rung == Durability::kDisk) return disk && append.wal_end <= disk->end ? &disk->error : nullptr;
  return object && append.end <= object->end ? &object->error : nullptr;
}

std::optional<Durability> AppendLadder::RungAbove(Durability reached, Durability asked) {
  // No number stands above kObject: asked for by a cast, it is as much as there is.
  if (reached >= asked || reached == Durability::kObject) return {};
  return reached == Durability::kOs ? Durability::kDisk : Durability::kObject;
}

void AppendLadder::Begin(PartitionUpload& upload, const StagedAppend& append) {
  if (append.asked == Durability::kObject) uploads_.Demand(upload, append.end);
}

bool AppendLadder::StandsOn(Durability rung, const PartitionUpload& upload, const StagedAppend& append) const {
  MR_DCHECK(rung == Durability::kDisk || rung == Durability::kObject, static_cast<int>(rung));
  if (rung == Durability::kDisk) return append.wal_end <= wal_.durable_end();
  return append.end <= uploads_.State(upload).committed_end;
}

Result<std::optional<Durability>> AppendLadder::Missing(const PartitionUpload& upload, const StagedAppend& append,
                                                        const RungFailures& failures) const {
  auto rung = RungAbove(Durability::kOs, append.asked);
  while (rung && StandsOn(*rung, upload, append)) rung = RungAbove(*rung, append.asked);
  if (!rung) return rung;
  if (const Error* failure = failures.Of(*rung, append)) return *failure;
  return rung;
}

void AppendLadder::OnRung(Durability rung, PartitionUpload& upload, const StagedAppend& append,
                          std::move_only_function<void(const Result<void>&)> done) {
  MR_CHECK(rung != Durability::kOs && done);
  if (rung == Durability::kDisk) return wal_.OnDurable(append.wal_end, std::move(done));
  uploads_.OnTiered(upload, append.end, std::move(done));
}

}  // namespace millrace
