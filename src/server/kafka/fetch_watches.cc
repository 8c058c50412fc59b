#include "server/kafka/fetch_watches.h"

#include <utility>

namespace millrace {

std::shared_ptr<FetchWatches> FetchWatches::Make(PartitionAccess& log, TurnLoop& loop) {
  std::shared_ptr<FetchWatches> made(new FetchWatches);
  made->watches_ = std::make_unique<PartitionWatches>(log, [&loop, weak = made->weak_from_this()] {
    loop.Post([weak] {
      const auto self = weak.lock();
      if (self != nullptr && self->woken_) self->woken_();
    });
  });
  return made;
}

bool FetchWatches::Arm(PartitionHandle partition, Offset beyond) {
  auto [place, is_new] = by_partition_.try_emplace(&partition.name());
  Watched& watched = place->second;
  if (is_new) {
    watched = {.partition = partition, .id = watches_->Add(partition)};
    by_id_[watched.id] = &watched;
    ++added_;
  }
  watched.round = round_;
  const auto armed = watches_->Arm(watched.id, beyond);
  // An error is told by the next read of it.
  if (!armed) return armed.error().code() == ErrorCode::kUnavailable;
  if (!watched.armed) armed_.push_back(&watched);
  watched.armed = true;
  return *armed == PartitionWatches::Armed::kWaits;
}

std::vector<PartitionHandle> FetchWatches::Take() {
  std::vector<PartitionHandle> woken;
  for (const PartitionWatches::Id id : watches_->Take()) {
    if (const auto found = by_id_.find(id); found != by_id_.end()) woken.push_back(found->second->partition);
  }
  return woken;
}

void FetchWatches::End() {
  woken_ = nullptr;
  for (Watched* watched : armed_) {
    watches_->Disarm(watched->id);
    watched->armed = false;
  }
  if (by_partition_.size() > 2 * armed_.size()) Forget();
  armed_.clear();
  ++round_;
}

void FetchWatches::Forget() {
  for (auto place = by_partition_.begin(); place != by_partition_.end();) {
    if (place->second.round == round_) {
      ++place;
      continue;
    }
    watches_->Remove(place->second.id);
    by_id_.erase(place->second.id);
    place = by_partition_.erase(place);
  }
}

}  // namespace millrace
