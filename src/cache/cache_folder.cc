// All but writing and reading chunks: taking over what is there, making room, living with a disk that refuses.
#include "cache/cache_folder.h"

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/try.h"

namespace millrace {

Result<void> CacheFolder::TakeOver() {
  if (options.bytes_max > 0) MR_TRY(disk.CreateDirectories(chunks));
  const auto listed = disk.List(chunks);
  if (!listed && options.bytes_max == 0) return {};  // nothing is there, and nothing shall be
  if (!listed) return listed.error();
  MR_ASSIGN_OR_RETURN(auto lock_file, disk.Lock(options.directory / "lock", ""));  // or it is another engine's

  std::unordered_map<ChunkName, std::uint64_t, ChunkNameHash> found;
  MutexLock lock(mutex);  // no other thread knows of it yet: it delays none
  held = std::move(lock_file);
  for (const DirectoryEntry& entry : *listed) {
    const std::optional<ChunkName> name = entry.is_directory ? std::nullopt : ChunkName::Parse(entry.name);
    if (name && entry.size_bytes > kChunkHeaderBytes && entry.size_bytes <= table.bytes_max()) {
      found.emplace(*name, entry.size_bytes);
    } else if (!RemoveFile(chunks / entry.name) && !entry.is_directory) {
      leftovers.push_back({entry.name, entry.size_bytes});
      table.CountLeftover(entry.size_bytes);
    }
  }
  const ChunkOrder written = ReadOrder(disk, order, OrderRoom(options.bytes_max) / 2);
  std::unordered_map<ChunkName, std::uint8_t, ChunkNameHash> ranks;
  for (const RankedChunk& place : written.places) ranks.emplace(place.name, place.rank);
  const auto restore_unknown = [&]() MR_REQUIRES(mutex) {
    for (const auto& [name, bytes] : found)
      if (!ranks.contains(name)) table.Restore(name, bytes, std::nullopt);
  };
  // What the order does not know did not fit into it, or came after it was written.
  if (written.left_out > 0) restore_unknown();
  for (const RankedChunk& place : written.places) {
    const auto at = found.find(place.name);
    if (at == found.end()) continue;
    table.Restore(at->first, at->second, place.rank);
    found.erase(at);
  }
  if (written.left_out == 0) restore_unknown();
  for (const ChunkTable::Slot slot : table.EvictSurplus()) {  // the ceiling was higher once
    if (RemoveFile(PathOf(table.at(slot).name))) {
      table.Forget(slot);
      ++stats.evictions;
    } else {
      table.Return(slot);
    }
  }
  return {};
}

void CacheFolder::WriteOrderIfDue() {
  {
    MutexLock lock(mutex);
    if (writing_order || arrivals_since_order < std::max(kArrivalsPerOrder, table.entries() / 4)) return;
    writing_order = true;
  }
  WriteOrderNow();
  MutexLock lock(mutex);
  writing_order = false;
}

void CacheFolder::WriteOrderNow() {
  std::vector<RankedChunk> places;
  {
    MutexLock lock(mutex);
    places = table.InOrder();
    arrivals_since_order = 0;
  }
  if (const auto written = WriteOrder(disk, order, places, OrderRoom(options.bytes_max) / 2); !written)
    OnFailure(write_pause, written.error());
}

Result<void> CacheFolder::RemoveFile(const std::filesystem::path& path) {
  Result<void> removed = disk.Remove(path);
  if (!removed && removed.error().code() == ErrorCode::kNotFound) return {};
  return removed;
}

std::vector<bool> CacheFolder::RemoveFiles(const std::vector<Leaving>& leaving) {
  std::vector<bool> gone;
  for (const Leaving& one : leaving) {
    const auto removed = RemoveFile(PathOf(one.name));
    gone.push_back(removed.has_value());
    if (!removed) OnFailure(write_pause, removed.error());
  }
  return gone;
}

bool CacheFolder::Recycle(const Leaving& evicted, const ChunkName& name, std::uint64_t file_bytes_max) {
  if (evicted.file_bytes > file_bytes_max) {
    const auto file = disk.Open(PathOf(evicted.name), {.access = FileAccess::kReadWrite});
    if (!file || !(*file)->Truncate(file_bytes_max)) return false;
  }
  return disk.Rename(PathOf(evicted.name), PartOf(name)).has_value();
}

std::optional<CacheFolder::Room> CacheFolder::TakeRoomOf(std::vector<Leaving> evicted, ChunkTable::Slot slot,
                                                         const ChunkName& name, std::uint64_t file_bytes) {
  // One file changes hands last: when it does, no other can stay behind.
  const std::vector<Leaving> last = {evicted.back()};
  std::vector<Leaving> others(evicted.begin(), evicted.end() - 1);
  std::vector<bool> gone = RemoveFiles(others);
  const bool recycled = std::ranges::find(gone, false) == gone.end() && Recycle(last.front(), name, file_bytes);
  gone.push_back(recycled || RemoveFiles(last).front());
  MutexLock lock(mutex);
  if (!Settle(evicted, gone, IfItStays::kReturn)) {
    table.Forget(slot);
    return std::nullopt;
  }
  table.Reserve(slot, file_bytes);  // at once, so that no other chunk comes between
  return Room{.has_file = recycled};
}

void CacheFolder::Withdraw(ChunkTable::Slot slot, const ChunkName& name, bool has_file) {
  const std::filesystem::path part = PartOf(name);
  const Result<void> removed = has_file ? RemoveFile(part) : Result<void>();
  if (!removed) OnFailure(write_pause, removed.error());
  MutexLock lock(mutex);
  const std::uint64_t bytes = table.at(slot).file_bytes;
  table.Forget(slot);
  if (removed) return;
  leftovers.push_back({part.filename().string(), bytes});  // its room is still taken
  table.CountLeftover(bytes);
}

bool CacheFolder::Settle(const std::vector<Leaving>& leaving, const std::vector<bool>& gone, IfItStays if_it_stays) {
  bool all_gone = true;
  for (std::size_t i = 0; i < leaving.size(); ++i) {
    const ChunkTable::Chunk chunk = table.at(leaving[i].slot);
    all_gone = all_gone && gone[i];
    if (!gone[i] && if_it_stays == IfItStays::kReturn) {
      table.Return(leaving[i].slot);
      continue;
    }
    table.Forget(leaving[i].slot);
    if (!gone[i]) {
      leftovers.push_back({chunk.name.ToString(), chunk.file_bytes});
      table.CountLeftover(chunk.file_bytes);
    } else if (if_it_stays == IfItStays::kReturn) {  // evicted
      ++stats.evictions;
      if (chunk.prefetched_unread) {
        ++stats.wasted_prefetch;
        stats.prefetch_wasted_bytes += chunk.file_bytes - kChunkHeaderBytes;
      }
    }
  }
  return all_gone;
}

void CacheFolder::Remove(const std::vector<Leaving>& leaving, IfItStays if_it_stays) {
  if (leaving.empty()) return;
  const std::vector<bool> gone = RemoveFiles(leaving);
  MutexLock lock(mutex);
  Settle(leaving, gone, if_it_stays);
}

void CacheFolder::DropNamed(const ChunkName& name) {
  std::vector<Leaving> leaving;
  {
    MutexLock lock(mutex);
    const auto slot = table.Find(name);
    if (!slot || table.at(*slot).state != ChunkTable::State::kResident || !table.Doom(*slot)) return;
    leaving.push_back({*slot, name});
  }
  Remove(leaving, IfItStays::kLeftover);
}

void CacheFolder::RetryLeftovers() {
  std::vector<Leftover> tried;
  {
    MutexLock lock(mutex);
    if (leftovers.empty() || retrying_leftovers) return;
    retrying_leftovers = true;
    tried = leftovers;
  }
  std::unordered_set<std::string> gone;
  for (const Leftover& leftover : tried) {
    if (const auto removed = RemoveFile(chunks / leftover.file); !removed) {
      OnFailure(write_pause, removed.error());
      break;
    }
    gone.insert(leftover.file);
  }
  MutexLock lock(mutex);
  retrying_leftovers = false;
  std::vector<Leftover> left;
  for (Leftover& leftover : leftovers) {
    if (gone.contains(leftover.file)) {
      table.ForgetLeftover(leftover.bytes);
    } else {
      left.push_back(std::move(leftover));
    }
  }
  leftovers = std::move(left);
}

void CacheFolder::CountHit(ChunkTable::Slot slot, Lookup lookup) {
  ++(lookup == Lookup::kReader ? stats.hits : stats.prefetch_hits);
  ChunkTable::Chunk& chunk = table.at(slot);
  chunk.header_checked = true;
  if (lookup == Lookup::kReader && std::exchange(chunk.prefetched_unread, false))
    stats.prefetch_used_bytes += chunk.file_bytes - kChunkHeaderBytes;
}

void CacheFolder::Heal() {
  if (!disk.CreateDirectories(chunks)) return;
  std::vector<ChunkName> residents;
  {
    MutexLock lock(mutex);
    residents = table.Residents();
  }
  const auto listed = disk.List(chunks);
  if (!listed) return;
  std::unordered_set<std::string> there;
  for (const DirectoryEntry& entry : *listed) there.insert(entry.name);
  for (const ChunkName& name : residents)
    if (!there.contains(name.ToString())) DropNamed(name);
}

void CacheFolder::OnFailure(DiskPause& pause, const Error& error) {
  pause.OnFailure();
  BackgroundFailure told{.error = error, .since_ms = clock.WallMs(), .times = 1};
  {
    MutexLock lock(mutex);
    ++stats.failures;
    auto& row = &pause == &read_pause ? read_failure : write_failure;
    if (row) told = {.error = error, .since_ms = row->since_ms, .times = row->times + 1};
    row = told;
  }
  if (!options.on_failure) return;
  CheckNoMutexHeld();
  options.on_failure(told);
}

void CacheFolder::OnSuccess(DiskPause& pause) {
  if (!pause.OnSuccess()) return;
  MutexLock lock(mutex);
  (&pause == &read_pause ? read_failure : write_failure).reset();
}

}  // namespace millrace
