// Files of the chain and of the pool: first file, roll, making files ahead, sealing and recycling.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/try.h"
#include "wal/disk_wal.h"

namespace millrace {

namespace {

constexpr std::uint64_t kBuildStepBytes = 4 << 20;

}  // namespace

DiskWal::Missing DiskWal::Roll(std::uint64_t capacity_min) {
  switch (chain_.LackOfRoll(capacity_min)) {
    case FileChain::Lack::kBudget:
      return Missing::kBudget;
    case FileChain::Lack::kFile:
      return Missing::kFile;
    case FileChain::Lack::kNothing:
      break;
  }
  const auto ready = chain_.TakeReady(capacity_min);
  MR_CHECK(ready, capacity_min, chain_.pool_files());
  PadToBlock();
  const WalPosition begin = commit_.end();
  chain_.Roll(*ready, commit_.payload_end(), {.base = begin, .at = begin, .last_frame = commit_.last_frame()});
  return Missing::kNothing;
}

bool DiskWal::LacksFile() const {
  if (closing_ || commit_.poison() || !active_usable_ || building_) return false;
  return chain_.LacksFile(commit_.end());
}

bool DiskWal::WantsFile() const { return LacksFile() && idle_.MayBuild(clock_.Monotonic()); }

Result<void> DiskWal::BuildStep(std::uint64_t capacity_min, std::uint64_t step_bytes) {
  std::shared_ptr<WalDiskFile> disk;
  std::uint64_t generation = 0, slot = 0, capacity = 0;
  {
    MutexLock lock(mutex_);
    MR_CHECK(building_);
    if (auto rework = chain_.TakeRework(std::max(capacity_min, 2 * kWalBlockBytes))) {
      disk = std::move(rework->disk);
      generation = rework->generation;
    } else if (!factory_.building() || factory_.building_capacity() < capacity_min) {
      slot = chain_.TakeSlot();
      capacity = chain_.NextCapacity(capacity_min);
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
      generation = chain_.TakeGeneration();
    }
    MR_ASSIGN_OR_RETURN(disk, factory_.Finish(generation));
  }
  MutexLock lock(mutex_);
  chain_.AddBuilt({std::move(disk), generation});
  return {};
}

Result<void> DiskWal::BuildUntilReady(std::uint64_t capacity_min) {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (chain_.HasReady(capacity_min)) return {};
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
  MR_CHECK(building_);
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
  MR_CHECK(carried.empty() || start == carried.front().header.position, start.value(), carried.size());
  const auto bytes = static_cast<std::uint64_t>(end - base);
  MR_TRY(BuildUntilReady(bytes + kWalBlockBytes));
  std::shared_ptr<WalFile> file;
  {
    MutexLock lock(mutex_);
    const auto ready = chain_.TakeReady(bytes + kWalBlockBytes);
    MR_CHECK(ready);
    file = chain_.MakeNext(*ready, {.base = base, .at = start, .last_frame = last_frame});
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
  MR_CHECK(!active_usable_ && !commit_.HasUnwritten(), commit_.end().value(), commit_.written_end().value());
  chain_.Add(std::move(file));
  commit_.StartAt({.end = end, .last_frame = commit_.last_frame(), .proved = base});  // by its header
  active_usable_ = true;
  return {};
}

Result<void> DiskWal::EnsureUsable() {
  WalPosition end, last_frame;
  {
    MutexLock lock(mutex_);
    if (!gate_.TryLead()) return {};  // another thread leads: the caller looks again
    if (active_usable_) {
      EndLeadership();
      return {};
    }
    end = commit_.end();
    last_frame = commit_.last_frame();
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
  MR_CHECK(!made || (ring_ && !chain_.files().empty()));
  if (made) active_usable_ = true;
  EndLeadership();
  return made;
}

void DiskWal::DropFailed(const std::shared_ptr<WalFile>& file) {
  if (factory_.Remove(*file->disk())) return;
  MutexLock lock(mutex_);
  chain_.AddUnfreed(file);
}

Result<void> DiskWal::FreeFile(const std::shared_ptr<WalFile>& file) {
  const auto& disk = file->disk();
  bool keep = !file->failed();
  std::uint64_t generation = 0;
  {
    MutexLock lock(mutex_);
    keep = keep && chain_.PoolTakes(*disk);
    if (keep) generation = chain_.TakeGeneration();
  }
  if (keep) {
    if (WalFileFactory::Reserve(*disk, generation)) {
      MutexLock lock(mutex_);
      chain_.AddFreed({disk, generation});
      return {};
    }
  }
  return factory_.Remove(*disk);
}

Result<void> DiskWal::SealActive(WalPosition position) {
  {
    MutexLock lock(mutex_);
    MR_TRY(CheckUsable());
    if (!active_usable_ || commit_.payload_end() > position || commit_.end() == chain_.active()->base()) return {};
  }
  if (auto built = BuildUntilReady(2 * kWalBlockBytes); !built) {
    // No room for a second file: the active one stays, as if no caller had asked.
    return built.error().code() == ErrorCode::kOutOfSpace ? Result<void>() : built;
  }
  {
    MutexLock lock(mutex_);
    MR_TRY(CheckUsable());
    while (!gate_.TryLead()) led_.Wait(mutex_);
    if (commit_.payload_end() > position || Roll(2 * kWalBlockBytes) != Missing::kNothing) {
      EndLeadership();
      return {};
    }
  }
  return LeadGroup(Lead::kSync);
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
      file = chain_.NextToFree(position, commit_.durable_end());
      if (!file) break;
      if (!chain_.files().empty()) begin_.store(chain_.begin().value(), std::memory_order_release);
    }
    done = FreeFile(file);
    if (!done) break;
    MutexLock lock(mutex_);
    chain_.OnFreed();
  }
  MutexLock lock(mutex_);
  MR_CHECK(building_);
  building_ = false;
  room_.NotifyAll();
  if (idle_.asleep() && LacksFile()) WakeSleeper();
  return done;
}

bool DiskWal::Frees(WalPosition position, Seal seal) const {
  MutexLock lock(mutex_);
  if (chain_.Frees(position, commit_.durable_end())) return true;
  if (seal == Seal::kKeepActive || !active_usable_ || chain_.files().empty()) return false;
  return commit_.payload_end() <= position && commit_.end() != chain_.active()->base();
}

DiskWal::Space DiskWal::space(WalPosition from) const {
  MutexLock lock(mutex_);
  return {.used = chain_.HeldBytes(), .used_from = chain_.HeldBytesFrom(from), .max = options_.wal_bytes_max};
}

WalPosition DiskWal::sealed_end() const {
  MutexLock lock(mutex_);
  return chain_.files().empty() ? WalPosition(0) : chain_.active()->header().predecessor_end;
}

}  // namespace millrace
