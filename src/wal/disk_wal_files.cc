// Files of the chain and of the pool: first file, roll, making files ahead, sealing and recycling.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "base/try.h"
#include "wal/disk_wal.h"

namespace millrace {

namespace {

/// The first file is small, so that an empty directory takes its first record at once; each next one is larger.
constexpr std::uint64_t kFirstFileBytes = 1 << 20;
constexpr std::uint64_t kGrowth = 4;
constexpr std::uint64_t kBuildStepBytes = 4 << 20;

}  // namespace

std::uint64_t DiskWal::HeldBytes() const {
  return std::accumulate(files_.begin(), files_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& file) { return sum + file->disk()->bytes(); });
}

std::uint64_t DiskWal::PoolBytes() const {
  std::uint64_t sum = 0;
  for (const auto& file : ready_) sum += file.disk->bytes();
  for (const auto& disk : rework_) sum += disk->bytes();
  return sum;
}

bool DiskWal::BudgetAllows(std::uint64_t file_bytes) const {
  // With nothing but the active file there is nothing to wait for: one more is always allowed.
  return HeldBytes() + file_bytes <= options_.wal_bytes_max || files_.size() <= 1;
}

std::uint64_t DiskWal::NextCapacity(std::uint64_t capacity_min) const {
  const std::uint64_t wanted = built_capacity_ == 0 ? std::min(kFirstFileBytes, file_bytes_max_)
                                                    : std::min(built_capacity_ * kGrowth, file_bytes_max_);
  return AlignUp(std::max(wanted, capacity_min), kWalBlockBytes);
}

std::optional<DiskWal::ReadyFile> DiskWal::TakeReady(std::uint64_t capacity_min) {
  while (!ready_.empty()) {
    ReadyFile ready = std::move(ready_.front());
    ready_.pop_front();
    if (ready.disk->capacity >= capacity_min) return ready;
    // Too small now, and too old later: generations are used in order.
    rework_.push_back(std::move(ready.disk));
  }
  return std::nullopt;
}

DiskWal::Missing DiskWal::Roll(std::uint64_t capacity_min) {
  const auto fitting =
      std::ranges::find_if(ready_, [&](const ReadyFile& ready) { return ready.disk->capacity >= capacity_min; });
  const std::uint64_t bytes =
      fitting != ready_.end() ? fitting->disk->bytes() : NextCapacity(capacity_min) + kWalFileHeaderBytes;
  if (!BudgetAllows(bytes)) return Missing::kBudget;
  if (fitting == ready_.end()) return Missing::kFile;
  const auto ready = TakeReady(capacity_min);
  PadToBlock();
  files_.back()->payload_end = payload_end_;
  const WalPosition begin(end_.load(std::memory_order_relaxed));
  files_.push_back(
      std::make_shared<WalFile>(ready->disk, WalFileHeader{.state = WalFileState::kLive,
                                                           .generation = ready->generation,
                                                           .base = begin,
                                                           .capacity = ready->disk->capacity,
                                                           .predecessor_generation = files_.back()->generation(),
                                                           .predecessor_end = begin,
                                                           .last_frame = last_frame_}));
  ++rolls_;
  return Missing::kNothing;
}

bool DiskWal::LacksFile() const {
  if (closing_ || poison_ || !active_usable_ || building_) return false;
  const auto& active = files_.back();
  const std::uint64_t used = static_cast<std::uint64_t>(end_.load(std::memory_order_relaxed) - active->base().value());
  const std::size_t wanted = used * 4 < active->disk()->capacity ? 0 : rolls_ < 2 ? 1 : 2;
  if (ready_.size() >= wanted) return false;
  const std::uint64_t bytes = rework_.empty() ? NextCapacity(0) + kWalFileHeaderBytes : rework_.back()->bytes();
  return HeldBytes() + PoolBytes() + (rework_.empty() ? bytes : 0) <= options_.wal_bytes_max;
}

bool DiskWal::WantsFile() const { return LacksFile() && idle_.MayBuild(clock_.Monotonic()); }

Result<void> DiskWal::BuildStep(std::uint64_t capacity_min, std::uint64_t step_bytes) {
  std::shared_ptr<WalDiskFile> disk;
  std::uint64_t generation = 0, slot = 0, capacity = 0;
  {
    MutexLock lock(mutex_);
    MR_CHECK(building_);
    const auto fitting = std::ranges::find_if(rework_, [&](const auto& candidate) {
      return candidate->capacity >= std::max(capacity_min, 2 * kWalBlockBytes);
    });
    if (fitting != rework_.end()) {
      disk = *fitting;
      rework_.erase(fitting);
      generation = next_generation_++;
    } else if (!factory_.building() || factory_.building_capacity() < capacity_min) {
      slot = next_slot_++;
      capacity = NextCapacity(capacity_min);
    }
  }
  if (disk) {
    if (auto reserved = WalFileFactory::Reserve(*disk, generation); !reserved) {
      [[maybe_unused]] const auto removed = factory_.Remove(*disk);
      return reserved;
    }
  } else {
    if (capacity != 0) {
      factory_.Discard();
      MR_TRY(factory_.Begin(slot, capacity));
    }
    MR_ASSIGN_OR_RETURN(const bool written, factory_.Step(step_bytes));
    if (!written) return {};
    {
      MutexLock lock(mutex_);
      generation = next_generation_++;
    }
    MR_ASSIGN_OR_RETURN(disk, factory_.Finish(generation));
  }
  MutexLock lock(mutex_);
  built_capacity_ = std::max(built_capacity_, std::min(disk->capacity, file_bytes_max_));
  ready_.push_back({std::move(disk), generation});
  return {};
}

Result<void> DiskWal::BuildUntilReady(std::uint64_t capacity_min) {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (std::ranges::any_of(ready_, [&](const ReadyFile& r) { return r.disk->capacity >= capacity_min; })) return {};
      if (building_) {
        room_.Wait(mutex_);
        continue;
      }
      building_ = true;
    }
    auto built = BuildStep(capacity_min, kBuildStepBytes);
    MutexLock lock(mutex_);
    EndBuilding(built);
    if (LacksFile()) WakeSleeper();  // a sleeper that began while this was built sleeps until it is time to try again
    if (!built) return built.error().WithContext("making a WAL file");
  }
}

void DiskWal::EndBuilding(const Result<void>& built) {
  building_ = false;
  if (built) {
    idle_.OnBuilt();
  } else {
    idle_.OnBuildFailed(clock_.Monotonic());
  }
  room_.NotifyAll();
}

Result<bool> DiskWal::PrepareFilesOnce() {
  {
    MutexLock lock(mutex_);
    // Not while a leader writes from the ring: touching stores.
    if (touching_ && !closing_ && active_usable_ && !gate_.led()) {
      touching_ = ring_->TouchNext();
      return true;
    }
    if (!WantsFile()) return false;
    building_ = true;
  }
  auto built = BuildStep(0, kBuildStepBytes);
  MutexLock lock(mutex_);
  EndBuilding(built);
  if (!built) return built.error().WithContext("making a WAL file ahead");
  return true;
}

Result<void> DiskWal::BeginFirstFile(WalPosition start, WalPosition last_frame,
                                     const std::vector<StagedFrame>& carried) {
  const WalPosition base = BlockDown(start);
  const WalPosition end = carried.empty() ? base : BlockUp(WalFrameEnd(carried.back().header));
  const auto bytes = static_cast<std::uint64_t>(end - base);
  MR_TRY(BuildUntilReady(bytes + kWalBlockBytes));
  std::shared_ptr<WalFile> file;
  {
    MutexLock lock(mutex_);
    const auto ready = TakeReady(bytes + kWalBlockBytes);
    MR_CHECK(ready);
    file = std::make_shared<WalFile>(
        ready->disk, WalFileHeader{.state = WalFileState::kLive,
                                   .generation = ready->generation,
                                   .base = base,
                                   .capacity = ready->disk->capacity,
                                   .predecessor_generation = files_.empty() ? 0 : files_.back()->generation(),
                                   .predecessor_end = start,
                                   .last_frame = last_frame});
  }
  WalFileImage::Memory memory;
  const auto image = memory.Reserve(bytes);
  if (bytes > 0) std::memset(image.data(), 0, image.size());
  for (const StagedFrame& frame : carried) {
    WalFrameHeader header = frame.header;
    header.generation = file->generation();
    const auto place = image.subspan(static_cast<std::size_t>(header.position - base), frame.bytes.size());
    std::ranges::copy(frame.bytes, place.begin());
    EncodeWalFrameHeader(header, place.first<kWalFrameHeaderBytes>());
  }
  auto begun = file->BeginWriting(image);
  if (begun) begun = file->Sync();
  if (!begun) {
    DropFailed(file);
    return begun;
  }
  MutexLock lock(mutex_);
  files_.push_back(std::move(file));
  written_end_ = closed_end_ = end;
  if (!carried.empty()) last_frame_ = carried.back().header.position;
  payload_end_ = end;
  proved_ = base;  // by its header
  for (auto* position : {&durable_end_, &end_, &announced_end_}) position->store(end.value());
  active_usable_ = true;
  return {};
}

Result<void> DiskWal::EnsureUsable() {
  WalPosition end, last_frame;
  {
    MutexLock lock(mutex_);
    if (!gate_.TryLead()) return {};  // somebody was quicker: the caller looks again
    if (active_usable_) {
      EndLeadership();
      return {};
    }
    end = WalPosition(end_.load(std::memory_order_relaxed));
    last_frame = last_frame_;
  }
  Result<void> made;
  std::unique_ptr<StagingRing> ring;
  if (auto opened = StagingRing::Open(file_system_, options_.directory, options_.staging_bytes); opened) {
    ring = *std::move(opened);
  } else {
    made = opened.error();
  }
  if (made) {
    MutexLock lock(mutex_);
    ring_ = std::move(ring);
  }
  if (made && !may_continue_) made = BeginFirstFile(end, last_frame, {});
  MutexLock lock(mutex_);
  if (made) active_usable_ = true;
  EndLeadership();
  return made;
}

void DiskWal::DropFailed(const std::shared_ptr<WalFile>& file) {
  if (factory_.Remove(*file->disk())) return;
  MutexLock lock(mutex_);
  unfreed_.push_back(file);
}

Result<void> DiskWal::FreeFile(const std::shared_ptr<WalFile>& file) {
  const auto& disk = file->disk();
  bool keep = !file->failed();
  std::uint64_t generation = 0;
  {
    MutexLock lock(mutex_);
    keep = keep && HeldBytes() + PoolBytes() + disk->bytes() <= options_.wal_bytes_max;
    if (keep) generation = next_generation_++;
  }
  if (keep) {
    if (WalFileFactory::Reserve(*disk, generation)) {
      MutexLock lock(mutex_);
      ready_.push_back({disk, generation});
      return {};
    }
  }
  return factory_.Remove(*disk);
}

Result<void> DiskWal::SealActive(WalPosition position) {
  {
    MutexLock lock(mutex_);
    MR_TRY(CheckUsable());
    const WalPosition end(end_.load(std::memory_order_relaxed));
    if (!active_usable_ || payload_end_ > position || end == files_.back()->base()) return {};
  }
  if (auto built = BuildUntilReady(2 * kWalBlockBytes); !built) {
    // No room for a second file: the active one stays, as if nobody had asked.
    return built.error().code() == ErrorCode::kOutOfSpace ? Result<void>() : built;
  }
  {
    MutexLock lock(mutex_);
    MR_TRY(CheckUsable());
    while (!gate_.TryLead()) led_.Wait(mutex_);
    if (payload_end_ > position || Roll(2 * kWalBlockBytes) != Missing::kNothing) {
      EndLeadership();
      return {};
    }
  }
  return LeadGroup(Lead::kSync);
}

/// Is everything in the oldest file below `position`, and does the next file stand without it, after a crash too?
bool DiskWal::FrontIsDone(WalPosition position) const {
  const WalFile& next = *files_[1];
  const WalPosition durable(durable_end_.load(std::memory_order_relaxed)), until = next.header().predecessor_end;
  return files_[0]->payload_end <= position && until <= durable && next.header_synced();
}

Result<void> DiskWal::Recycle(WalPosition position, Seal seal) {
  if (seal == Seal::kSealActive) MR_TRY(SealActive(position));
  {
    MutexLock lock(mutex_);
    while (building_) room_.Wait(mutex_);
    building_ = true;  // generations are given out and used in one order
  }
  Result<void> done;
  for (;;) {
    std::shared_ptr<WalFile> file;
    {
      MutexLock lock(mutex_);
      if (unfreed_.empty() && files_.size() > 1 && FrontIsDone(position)) {
        unfreed_.push_back(files_.front());
        files_.pop_front();
        begin_.store(files_.front()->header().predecessor_end.value(), std::memory_order_release);
      }
      if (unfreed_.empty()) break;
      file = unfreed_.front();
    }
    done = FreeFile(file);
    if (!done) break;
    MutexLock lock(mutex_);
    unfreed_.pop_front();
  }
  MutexLock lock(mutex_);
  building_ = false;
  room_.NotifyAll();
  if (idle_.asleep() && LacksFile()) WakeSleeper();
  return done;
}

DiskWal::Space DiskWal::space() const {
  MutexLock lock(mutex_);
  return {.used = HeldBytes(), .max = options_.wal_bytes_max};
}

}  // namespace millrace
