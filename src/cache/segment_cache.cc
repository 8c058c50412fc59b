#include "cache/segment_cache.h"

#include "base/check.h"
#include "base/try.h"
#include "cache/cache_folder.h"

namespace millrace {

SegmentCache::SegmentCache(std::unique_ptr<CacheFolder> folder) : folder_(std::move(folder)) {}

SegmentCache::~SegmentCache() { MR_CHECK(folder_->gate.closed()); }

std::unique_ptr<SegmentCache> SegmentCache::Open(SegmentCacheOptions options, FileSystem& file_system, Clock& clock) {
  auto folder = std::make_unique<CacheFolder>(std::move(options), file_system, clock);
  const auto taken_over = folder->TakeOver();
  folder->on = taken_over && folder->options.bytes_max > 0;
  if (!taken_over) folder->off_failure = {.error = taken_over.error(), .since_ms = clock.WallMs(), .times = 1};
  return std::unique_ptr<SegmentCache>(new SegmentCache(std::move(folder)));
}

std::optional<std::vector<SharedBytes>> SegmentCache::Read(const ChunkKey& key, std::span<const ByteRange> ranges,
                                                           Lookup lookup, InsertHint hint) {
  CacheFolder& folder = *folder_;
  const Gate::Pass pass = folder.gate.Enter();
  if (!pass) return std::nullopt;
  const ChunkName name = ChunkName::Of(key);
  ChunkTable::Slot slot = 0;
  ChunkFile file{folder.PathOf(name)};
  {
    MutexLock lock(folder.mutex);
    const auto found = folder.table.Find(name);
    if (!found || folder.table.at(*found).state != ChunkTable::State::kResident || folder.read_pause.active()) {
      folder.CountMiss(lookup);
      return std::nullopt;
    }
    slot = *found;
    folder.table.Pin(slot);
    file.file_bytes = folder.table.at(slot).file_bytes;
    file.header_checked = folder.table.at(slot).header_checked;
  }
  Result<std::vector<SharedBytes>> parts = ReadChunkFile(folder.disk, file, key, ranges);
  const bool disk_failed =
      !parts && parts.error().code() != ErrorCode::kCorruption && parts.error().code() != ErrorCode::kNotFound;
  if (disk_failed) folder.OnFailure(folder.read_pause, parts.error());

  std::vector<CacheFolder::Leaving> leaving;
  {
    MutexLock lock(folder.mutex);
    if (parts) {
      folder.CountHit(slot, lookup);
      if (folder.table.at(slot).state == ChunkTable::State::kResident) folder.table.Touch(slot, hint);
    } else {
      folder.CountMiss(lookup);
      if (folder.table.at(slot).state == ChunkTable::State::kResident) folder.table.Doom(slot);
    }
    if (folder.table.Unpin(slot)) leaving.push_back({slot, name});
  }
  if (parts) folder.OnSuccess(folder.read_pause);
  folder.Remove(leaving, CacheFolder::IfItStays::kLeftover);
  if (!parts) return std::nullopt;
  return *std::move(parts);
}

bool SegmentCache::Contains(const ChunkKey& key) const {
  MutexLock lock(folder_->mutex);
  const auto found = folder_->table.Find(ChunkName::Of(key));
  return found && folder_->table.at(*found).state == ChunkTable::State::kResident;
}

SegmentCache::Admission SegmentCache::Reserve(const Request& request) {
  CacheFolder& folder = *folder_;
  Gate::Pass pass = folder.gate.Enter();
  if (!pass || !folder.on || folder.write_pause.active()) return {};
  if (request.if_present == IfPresent::kReplace) Drop(request.key);
  folder.RetryLeftovers();
  const ChunkName name = ChunkName::Of(request.key);
  const std::string file = name.ToString();
  ChunkTable::Slot slot = 0;
  std::vector<CacheFolder::Leaving> leaving;
  std::uint64_t file_bytes = 0;
  {
    MutexLock lock(folder.mutex);
    if (request.bytes > folder.table.bytes_max()) return {};
    file_bytes = request.bytes + kChunkHeaderBytes;
    if (folder.table.Find(name) || !folder.table.CouldFit(file_bytes)) return {};
    if (std::ranges::any_of(folder.leftovers, [&](const auto& left) { return left.file.starts_with(file); })) return {};
    slot = folder.table.Claim(name);
    folder.table.at(slot).hint = request.hint;
    folder.table.at(slot).prefetched_unread = request.lookup == Lookup::kPrefetch;
    const auto victims = folder.table.MakeRoom(slot, file_bytes);
    if (!victims) {
      folder.table.Forget(slot);
      return {};
    }
    for (const ChunkTable::Slot victim : *victims) {
      const ChunkTable::Chunk& chunk = folder.table.at(victim);
      leaving.push_back({victim, chunk.name, chunk.file_bytes});
    }
  }
  CacheFolder::Room room;
  if (!leaving.empty()) {
    const auto taken = folder.TakeRoomOf(std::move(leaving), slot, name, file_bytes);
    if (!taken) return {};
    room = *taken;
  }
  Admission admission;
  admission.has_file_ = room.has_file;
  admission.cache_ = this;
  admission.key_ = request.key;
  admission.slot_ = slot;
  admission.pass_ = std::move(pass);
  return admission;
}

SegmentCache::Admission& SegmentCache::Admission::operator=(Admission&& other) noexcept {
  if (this == &other) return *this;
  Release();
  cache_ = std::exchange(other.cache_, nullptr);
  key_ = other.key_;
  slot_ = other.slot_;
  has_file_ = other.has_file_;
  pass_ = std::move(other.pass_);
  return *this;
}

void SegmentCache::Admission::Release() {
  if (cache_ != nullptr) std::exchange(cache_, nullptr)->folder_->Withdraw(slot_, ChunkName::Of(key_), has_file_);
  pass_.Leave();
}

bool SegmentCache::Admit(Admission admission, std::span<const SharedBytes> pieces, std::optional<std::uint32_t> crc) {
  CacheFolder& folder = *folder_;
  if (!admission || folder.write_pause.active()) return false;
  const ChunkName name = ChunkName::Of(admission.key_);
  std::uint64_t file_bytes = kChunkHeaderBytes;
  for (const SharedBytes& piece : pieces) file_bytes += piece.size();
  {
    MutexLock lock(folder.mutex);
    MR_CHECK(file_bytes == folder.table.at(admission.slot_).file_bytes, file_bytes);
  }
  const std::filesystem::path part = folder.PartOf(name);
  const FileCreation creation = admission.has_file_ ? FileCreation::kOpenOrCreate : FileCreation::kCreateNew;
  const auto write = [&]() -> Result<void> {
    MR_TRY(WriteChunkFile(folder.disk, part, creation, admission.key_, pieces, crc));
    return folder.disk.Rename(part, folder.PathOf(name));
  };
  Result<void> written = write();
  if (!written && written.error().code() == ErrorCode::kNotFound) {
    folder.Heal();
    written = write();
  }
  if (!written) {
    folder.OnFailure(folder.write_pause, written.error());
    admission.has_file_ = true;  // what there is of the file goes with its room
    return false;
  }
  folder.OnSuccess(folder.write_pause);
  {
    MutexLock lock(folder.mutex);
    folder.table.Arrive(admission.slot_);
    admission.cache_ = nullptr;
    ++folder.arrivals_since_order;
  }
  folder.WriteOrderIfDue();
  return true;
}

void SegmentCache::Drop(const ChunkKey& key) {
  const Gate::Pass pass = folder_->gate.Enter();
  if (pass) folder_->DropNamed(ChunkName::Of(key));
}

SegmentCacheStats SegmentCache::Stats() const {
  MutexLock lock(folder_->mutex);
  SegmentCacheStats stats = folder_->stats;
  stats.bytes = folder_->table.used();
  stats.bytes_max = folder_->options.bytes_max;
  stats.entries = folder_->table.entries();
  stats.available = folder_->on && !folder_->read_pause.active() && !folder_->write_pause.active();
  stats.failure = folder_->off_failure     ? folder_->off_failure
                  : folder_->write_failure ? folder_->write_failure
                                           : folder_->read_failure;
  return stats;
}

void SegmentCache::Close() {
  if (!folder_->gate.closed() && folder_->on) {
    folder_->gate.Close();
    folder_->WriteOrderNow();
  }
  folder_->gate.Close();
  MutexLock lock(folder_->mutex);
  folder_->held.reset();
}

}  // namespace millrace
