#include "tier/told_settings.h"

#include "tier/store_keys.h"

namespace millrace {

void ToldSettings::TakeSnapshot(const Snapshot& snapshot) {
  snapshot_ = {snapshot.head.generation, snapshot.head.written_ms};
  for (const ObjectRow& row : snapshot.objects)
    if (row.state == ObjectState::kPrepared) named_.insert(row.id);
}

bool ToldSettings::IsNewest(const FoundObject& object, TopicId topic) {
  if (named_.contains(ObjectIdOf(object.name))) return false;
  const Age age{object.name.generation, object.directory.written_ms};
  Age& newest = newest_.try_emplace(topic, snapshot_).first->second;
  if (age < newest) return false;
  newest = age;
  return true;
}

}  // namespace millrace
