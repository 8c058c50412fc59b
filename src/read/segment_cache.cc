#include "read/segment_cache.h"

#include "base/check.h"
#include "base/try.h"
#include "read/segment_cache_state.h"

namespace millrace {

SegmentCache::SegmentCache(std::unique_ptr<State> state) : state_(std::move(state)) {}

SegmentCache::~SegmentCache() { MR_CHECK(state_->gate.closed()); }

std::unique_ptr<SegmentCache> SegmentCache::Open(SegmentCacheOptions options, FileSystem& file_system, Clock& clock) {
  auto state = std::make_unique<State>(std::move(options), file_system, clock);
  const auto taken_over = state->TakeOver();
  state->on = taken_over && state->options.bytes_max > 0;
  if (!taken_over) state->off_failure = {.error = taken_over.error(), .since_ms = clock.WallMs(), .times = 1};
  return std::unique_ptr<SegmentCache>(new SegmentCache(std::move(state)));
}

std::optional<std::vector<SharedBytes>> SegmentCache::Read(const ChunkKey& key, std::span<const ByteRange> ranges,
                                                           Lookup lookup, InsertHint hint) {
  State& state = *state_;
  const Gate::Pass pass = state.gate.Enter();
  if (!pass) return std::nullopt;
  const ChunkName name = ChunkName::Of(key);
  ChunkTable::Slot slot = 0;
  ChunkFile file{state.PathOf(name)};
  {
    MutexLock lock(state.mutex);
    const auto found = state.table.Find(name);
    if (!found || state.table.at(*found).state != ChunkTable::State::kResident || state.read_pause.active()) {
      state.CountMiss(lookup);
      return std::nullopt;
    }
    slot = *found;
    state.table.Pin(slot);
    file.file_bytes = state.table.at(slot).file_bytes;
    file.header_checked = state.table.at(slot).header_checked;
  }
  Result<std::vector<SharedBytes>> parts = ReadChunkFile(state.disk, file, key, ranges);
  const bool disk_failed =
      !parts && parts.error().code() != ErrorCode::kCorruption && parts.error().code() != ErrorCode::kNotFound;
  if (disk_failed) state.OnFailure(state.read_pause, parts.error());

  std::vector<State::Leaving> leaving;
  {
    MutexLock lock(state.mutex);
    if (parts) {
      state.CountHit(slot, lookup);
      if (state.table.at(slot).state == ChunkTable::State::kResident) state.table.Touch(slot, hint);
    } else {
      state.CountMiss(lookup);
      if (state.table.at(slot).state == ChunkTable::State::kResident) state.table.Doom(slot);
    }
    if (state.table.Unpin(slot)) leaving.push_back({slot, name});
  }
  if (parts) state.OnSuccess(state.read_pause);
  state.Remove(leaving, State::IfItStays::kLeftover);
  if (!parts) return std::nullopt;
  return *std::move(parts);
}

bool SegmentCache::Contains(const ChunkKey& key) const {
  MutexLock lock(state_->mutex);
  const auto found = state_->table.Find(ChunkName::Of(key));
  return found && state_->table.at(*found).state == ChunkTable::State::kResident;
}

SegmentCache::Admission SegmentCache::Reserve(const Request& request) {
  State& state = *state_;
  Gate::Pass pass = state.gate.Enter();
  if (!pass || !state.on || state.write_pause.active()) return {};
  if (request.if_present == IfPresent::kReplace) Drop(request.key);
  state.RetryLeftovers();
  const ChunkName name = ChunkName::Of(request.key);
  const std::string file = name.ToString();
  ChunkTable::Slot slot = 0;
  std::vector<State::Leaving> leaving;
  std::uint64_t file_bytes = 0;
  {
    MutexLock lock(state.mutex);
    if (request.bytes > state.table.bytes_max()) return {};
    file_bytes = request.bytes + kChunkHeaderBytes;
    if (state.table.Find(name) || !state.table.CouldFit(file_bytes)) return {};
    if (std::ranges::any_of(state.leftovers, [&](const auto& left) { return left.file.starts_with(file); })) return {};
    slot = state.table.Claim(name);
    state.table.at(slot).hint = request.hint;
    state.table.at(slot).prefetched_unread = request.lookup == Lookup::kPrefetch;
    const auto victims = state.table.MakeRoom(slot, file_bytes);
    if (!victims) {
      state.table.Forget(slot);
      return {};
    }
    for (const ChunkTable::Slot victim : *victims) {
      const ChunkTable::Chunk& chunk = state.table.at(victim);
      leaving.push_back({victim, chunk.name, chunk.file_bytes});
    }
  }
  State::Room room;
  if (!leaving.empty()) {
    const auto taken = state.TakeRoomOf(std::move(leaving), slot, name, file_bytes);
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
  if (cache_ != nullptr) std::exchange(cache_, nullptr)->state_->Withdraw(slot_, ChunkName::Of(key_), has_file_);
  pass_.Leave();
}

bool SegmentCache::Admit(Admission admission, std::span<const SharedBytes> pieces, std::optional<std::uint32_t> crc) {
  State& state = *state_;
  if (!admission || state.write_pause.active()) return false;
  const ChunkName name = ChunkName::Of(admission.key_);
  std::uint64_t file_bytes = kChunkHeaderBytes;
  for (const SharedBytes& piece : pieces) file_bytes += piece.size();
  {
    MutexLock lock(state.mutex);
    MR_CHECK(file_bytes == state.table.at(admission.slot_).file_bytes, file_bytes);
  }
  const std::filesystem::path part = state.PartOf(name);
  const FileCreation creation = admission.has_file_ ? FileCreation::kOpenOrCreate : FileCreation::kCreateNew;
  const auto write = [&]() -> Result<void> {
    MR_TRY(WriteChunkFile(state.disk, part, creation, admission.key_, pieces, crc));
    return state.disk.Rename(part, state.PathOf(name));
  };
  Result<void> written = write();
  if (!written && written.error().code() == ErrorCode::kNotFound) {
    state.Heal();
    written = write();
  }
  if (!written) {
    state.OnFailure(state.write_pause, written.error());
    admission.has_file_ = true;  // what there is of the file goes with its room
    return false;
  }
  state.OnSuccess(state.write_pause);
  {
    MutexLock lock(state.mutex);
    state.table.Arrive(admission.slot_);
    admission.cache_ = nullptr;
    ++state.arrivals_since_order;
  }
  state.WriteOrderIfDue();
  return true;
}

void SegmentCache::Drop(const ChunkKey& key) {
  const Gate::Pass pass = state_->gate.Enter();
  if (pass) state_->DropNamed(ChunkName::Of(key));
}

SegmentCacheStats SegmentCache::Stats() const {
  MutexLock lock(state_->mutex);
  SegmentCacheStats stats = state_->stats;
  stats.bytes = state_->table.used();
  stats.bytes_max = state_->options.bytes_max;
  stats.entries = state_->table.entries();
  stats.available = state_->on && !state_->read_pause.active() && !state_->write_pause.active();
  stats.failure = state_->off_failure     ? state_->off_failure
                  : state_->write_failure ? state_->write_failure
                                          : state_->read_failure;
  return stats;
}

void SegmentCache::Close() {
  if (!state_->gate.closed() && state_->on) {
    state_->gate.Close();
    state_->WriteOrderNow();
  }
  state_->gate.Close();
  MutexLock lock(state_->mutex);
  state_->held.reset();
}

}  // namespace millrace
