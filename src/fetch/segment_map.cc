#include "fetch/segment_map.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "base/limited_wait.h"
#include "base/mutex.h"
#include "base/try.h"
#include "fetch/segment_table.h"
#include "meta/segment_catalog.h"

namespace millrace {

namespace {

constexpr std::size_t kPageRows = 10'000;

}  // namespace

struct SegmentMap::State {
  State(MetadataStore& metadata, const PartitionKey& partition, Clock& clock)
      : metadata(metadata), partition(partition), clock(clock), table(partition) {}

  /// Loads what metadata has from the table's end on; one thread at a time, the others wait for it.
  Result<void> Load(bool again) MR_EXCLUDES(mutex);
  /// False: the page does not follow what is held.
  bool Take(const std::vector<SegmentRow>& page) MR_REQUIRES(mutex);

  MetadataStore& metadata;
  const PartitionKey partition;
  Clock& clock;
  mutable Mutex mutex;
  CondVar load_ended;
  bool loaded MR_GUARDED_BY(mutex) = false, loading MR_GUARDED_BY(mutex) = false;
  bool came_meanwhile MR_GUARDED_BY(mutex) = false;  // a commit that the page being fetched may not have
  bool forgotten MR_GUARDED_BY(mutex) = false;       // while it is being loaded
  std::uint64_t loads MR_GUARDED_BY(mutex) = 0;
  Offset dropped_below MR_GUARDED_BY(mutex);
  SegmentTable table MR_GUARDED_BY(mutex);
};

bool SegmentMap::State::Take(const std::vector<SegmentRow>& page) {
  for (const SegmentRow& row : page) {
    if (!table.empty() && row.end <= table.end()) continue;  // our own commit came first
    if (row.end <= dropped_below) continue;
    if (row.base >= row.end || (!table.empty() && row.base != table.end())) return false;
    table.Append(row);
  }
  return true;
}

Result<void> SegmentMap::State::Load(bool again) {
  Offset from;
  LimitedWait wait(mutex, load_ended, clock);
  {
    MutexLock lock(mutex);
    const std::uint64_t loads_before = loads;
    while (loading) MR_TRY(wait.For("the list of segments, which another thread loads", mutex));
    if (loaded && (!again || loads != loads_before)) return {};  // another thread did it meanwhile
    loading = true;
    came_meanwhile = forgotten = false;
    from = table.empty() ? dropped_below : table.end();
  }
  for (bool afresh = false;;) {
    const Result<std::vector<SegmentRow>> page = SegmentCatalog(metadata).Segments(partition, from, kPageRows);
    MutexLock lock(mutex);
    Result<void> result;
    if (!page) {
      result = page.error();
    } else if (std::exchange(forgotten, false)) {
      table.Clear();
      from = dropped_below;
      continue;
    } else if (!Take(*page)) {
      // log_start may have passed the end of what we hold; then a fresh list begins behind it.
      if (!std::exchange(afresh, true)) {
        table.Clear();
        from = dropped_below;
        continue;
      }
      result = Error(ErrorCode::kCorruption,
                     fmt::format("metadata: the segments behind offset {} do not follow each other", from.value()));
    } else if (page->size() == kPageRows) {
      from = page->back().end;
      continue;
    } else if (std::exchange(came_meanwhile, false)) {
      from = table.empty() ? dropped_below : table.end();
      continue;
    }
    if (result) {
      loaded = true;
      ++loads;
    }
    loading = false;
    load_ended.NotifyAll();
    return result;
  }
}

SegmentMap::SegmentMap(MetadataStore& metadata, const PartitionKey& partition, Clock& clock)
    : state_(std::make_unique<State>(metadata, partition, clock)) {}

SegmentMap::~SegmentMap() = default;

Result<std::optional<SegmentRow>> SegmentMap::Find(Offset offset) {
  {
    MutexLock lock(state_->mutex);
    if (state_->loaded) return state_->table.Find(offset);
  }
  MR_TRY(state_->Load(false));
  MutexLock lock(state_->mutex);
  return state_->table.Find(offset);
}

Result<std::optional<SegmentRow>> SegmentMap::FindByTime(std::int64_t timestamp_ms, Offset from) {
  MR_TRY(state_->Load(false));
  MutexLock lock(state_->mutex);
  return state_->table.FindByTime(timestamp_ms, from);
}

Result<void> SegmentMap::Refresh() { return state_->Load(true); }

Result<std::string> SegmentMap::ObjectKey(const ObjectId& object) {
  MR_ASSIGN_OR_RETURN(const std::optional<ObjectRow> row, SegmentCatalog(state_->metadata).FindObject(object));
  if (!row) return Error(ErrorCode::kNotFound, "metadata no longer has the segment's object");
  return row->key;
}

void SegmentMap::Add(const SegmentRow& segment) {
  MutexLock lock(state_->mutex);
  SegmentTable& table = state_->table;
  if (segment.end <= state_->dropped_below) return;
  if (!state_->loaded) {
    state_->came_meanwhile = true;
    return;
  }
  if (!table.empty() && segment.base != table.end()) {
    if (segment.end <= table.end()) return;  // known
    // Others came in between: the next lookup asks metadata for them, or the load that goes on does.
    state_->loaded = false;
    state_->came_meanwhile = true;
    return;
  }
  table.Append(segment);
}

void SegmentMap::Forget() {
  MutexLock lock(state_->mutex);
  state_->table.Clear();
  state_->loaded = false;
  state_->forgotten = true;
}

void SegmentMap::DropBelow(Offset log_start) {
  MutexLock lock(state_->mutex);
  if (log_start <= state_->dropped_below) return;
  state_->dropped_below = log_start;
  state_->table.DropBelow(log_start);
}

std::size_t SegmentMap::count() const {
  MutexLock lock(state_->mutex);
  return state_->table.count();
}

std::size_t SegmentMap::memory_bytes() const {
  MutexLock lock(state_->mutex);
  return state_->table.memory_bytes();
}

}  // namespace millrace
