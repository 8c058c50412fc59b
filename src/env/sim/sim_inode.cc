#include "env/sim/sim_inode.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "env/seeded_random.h"
#include "env/sim/sim_losses.h"

namespace millrace {
namespace {

constexpr std::size_t kEarlierMax = 3;

std::uint64_t BlocksOf(std::uint64_t size) { return (size + kSimBlockBytes - 1) / kSimBlockBytes; }

const SimBlockRef& ZeroBlock() {
  static const SimBlockRef zero = std::make_shared<SimBlock>();
  return zero;
}

const std::byte* BytesOf(const SimBlockRef& block) { return block ? block->data() : ZeroBlock()->data(); }

}  // namespace

SimMapping::SimMapping(std::size_t size)
    : memory_(
          static_cast<std::byte*>(::operator new(BlocksOf(size) * kSimBlockBytes, std::align_val_t{kSimBlockBytes}))),
      size_(size) {}

SimMapping::~SimMapping() { ::operator delete(memory_, std::align_val_t{kSimBlockBytes}); }

SimSurvival::SimSurvival(std::uint64_t seed, SimLosses& losses)
    : seed_(seed), state_(SeededRandom::Mix(seed + 0x51ab)), losses_(losses) {
  // Some crashes keep nearly all, some nearly nothing; some tear much, some not at all.
  constexpr std::array<std::uint64_t, 5> kOdds = {1, 4, 8, 12, 15};
  constexpr std::array<std::uint64_t, 4> kTears = {0, 2, 4, 12};
  odds_of_16_ = seed == 0 ? 0 : seed == 1 ? 16 : kOdds[Below(kOdds.size())];
  tear_of_16_ = seed <= 1 ? 0 : kTears[Below(kTears.size())];
}

std::uint64_t SimSurvival::Next() {
  state_ += 0x9e3779b97f4a7c15U;
  return SeededRandom::Mix(state_);
}

std::uint64_t SimSurvival::Below(std::uint64_t bound) { return Next() % bound; }
bool SimSurvival::Survives() { return Below(16) < odds_of_16_; }
bool SimSurvival::Torn() { return Below(16) < tear_of_16_; }

std::uint64_t SimInode::allocated_blocks() const {
  return static_cast<std::uint64_t>(std::ranges::count_if(now_, [](const SimBlockRef& block) { return bool(block); }));
}

void SimInode::Read(std::uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    const std::uint64_t index = offset / kSimBlockBytes, within = offset % kSimBlockBytes;
    const std::size_t length = std::min<std::uint64_t>(out.size(), kSimBlockBytes - within);
    PullBlock(index);
    std::memcpy(out.data(), BytesOf(now_[index]) + within, length);
    out = out.subspan(length);
    offset += length;
  }
}

std::uint64_t SimInode::Write(std::uint64_t offset, std::span<const std::byte> bytes, std::uint64_t free_blocks) {
  std::uint64_t done = 0;
  while (done < bytes.size()) {
    const std::uint64_t at = offset + done, index = at / kSimBlockBytes, within = at % kSimBlockBytes;
    const std::size_t length = std::min<std::uint64_t>(bytes.size() - done, kSimBlockBytes - within);
    if (index >= now_.size() || !now_[index]) {
      if (free_blocks == 0) break;
      --free_blocks;
    }
    if (now_.size() <= index) now_.resize(index + 1);
    SimBlock& block = Change(index);
    std::memcpy(block.data() + within, bytes.data() + done, length);
    if (mapping_ && index < mapping_->block_count()) std::memcpy(mapping_->block(index), block.data(), kSimBlockBytes);
    done += length;
    size_ = std::max(size_, offset + done);
  }
  return done;
}

std::uint64_t SimInode::MissingBlocks(std::uint64_t size) const {
  std::uint64_t missing = 0;
  for (std::uint64_t index = 0; index < BlocksOf(size); ++index) missing += index >= now_.size() || !now_[index];
  return missing;
}

void SimInode::Allocate(std::uint64_t size) {
  if (now_.size() < BlocksOf(size)) now_.resize(BlocksOf(size));
  for (std::uint64_t index = 0; index < BlocksOf(size); ++index) {
    // A hole and allocated zeros hold the same bytes: nothing is unsynced by this but the size.
    if (!now_[index]) now_[index] = ZeroBlock();
  }
  size_ = std::max(size_, size);
}

void SimInode::Truncate(std::uint64_t size) {
  PullMapping();
  for (std::uint64_t index = BlocksOf(size); index < now_.size(); ++index) {
    Remember(index);
    now_[index] = nullptr;
  }
  now_.resize(BlocksOf(size));
  if (size < size_ && size % kSimBlockBytes != 0) {
    SimBlock& block = Change(size / kSimBlockBytes);
    std::fill(block.begin() + static_cast<std::ptrdiff_t>(size % kSimBlockBytes), block.end(), std::byte{});
  }
  size_ = size;
}

void SimInode::Sync() {
  PullMapping();
  std::erase_if(unsynced_, [](const auto& entry) { return !entry.second.lost; });
  disk_size_ = size_;
}

void SimInode::FailSync(bool pages_left_clean) {
  PullMapping();
  if (!pages_left_clean) return;
  for (auto& [index, unsynced] : unsynced_) unsynced.lost = true;
}

std::shared_ptr<SimMapping> SimInode::Map(std::size_t size) {
  if (mapping_ && mapping_->bytes().size() < size) return nullptr;
  if (!mapping_) {
    mapping_ = std::make_shared<SimMapping>(size);
    for (std::uint64_t index = 0; index < mapping_->block_count(); ++index) {
      std::memcpy(mapping_->block(index), BytesOf(now_[index]), kSimBlockBytes);
    }
  }
  return mapping_;
}

void SimInode::Unmap() {
  PullMapping();
  mapping_.reset();
}

void SimInode::PullMapping() {
  if (!mapping_) return;
  for (std::uint64_t index = 0; index < mapping_->block_count(); ++index) PullBlock(index);
}

void SimInode::PullBlock(std::uint64_t index) {
  if (!mapping_ || index >= mapping_->block_count() || index >= now_.size()) return;
  const std::byte* stored = mapping_->block(index);
  if (std::memcmp(stored, BytesOf(now_[index]), kSimBlockBytes) == 0) return;
  Remember(index);
  now_[index] = std::make_shared_for_overwrite<SimBlock>();
  std::memcpy(now_[index]->data(), stored, kSimBlockBytes);
}

void SimInode::Remember(std::uint64_t index) {
  auto [entry, fresh] = unsynced_.try_emplace(index);
  Unsynced& unsynced = entry->second;
  if (fresh) {
    unsynced.disk = now_[index];
    return;
  }
  unsynced.lost = false;
  if (unsynced.earlier.size() == kEarlierMax) unsynced.earlier.erase(unsynced.earlier.begin());
  unsynced.earlier.push_back(now_[index]);
}

SimBlock& SimInode::Change(std::uint64_t index) {
  PullBlock(index);
  Remember(index);
  auto copy = std::make_shared_for_overwrite<SimBlock>();
  std::memcpy(copy->data(), BytesOf(now_[index]), kSimBlockBytes);
  now_[index] = std::move(copy);
  return *now_[index];
}

void SimInode::Rot(std::uint64_t offset, std::span<const std::byte> bytes) {
  PullMapping();
  const auto rot_block = [](SimBlockRef& block, std::uint64_t within, std::span<const std::byte> part) {
    auto copy = std::make_shared_for_overwrite<SimBlock>();
    std::memcpy(copy->data(), BytesOf(block), kSimBlockBytes);
    std::memcpy(copy->data() + within, part.data(), part.size());
    block = std::move(copy);
  };
  while (!bytes.empty()) {
    const std::uint64_t index = offset / kSimBlockBytes, within = offset % kSimBlockBytes;
    const auto part = bytes.first(std::min<std::uint64_t>(bytes.size(), kSimBlockBytes - within));
    if (index < now_.size()) {
      rot_block(now_[index], within, part);
      if (mapping_ && index < mapping_->block_count()) {
        std::memcpy(mapping_->block(index), now_[index]->data(), kSimBlockBytes);
      }
    }
    if (auto found = unsynced_.find(index); found != unsynced_.end()) {
      rot_block(found->second.disk, within, part);
      for (SimBlockRef& block : found->second.earlier) rot_block(block, within, part);
    }
    bytes = bytes.subspan(part.size());
    offset += part.size();
  }
}

SimBlockRef SimInode::Choose(const Unsynced& unsynced, const SimBlockRef& now, SimSurvival& survival) {
  if (survival.nothing() || !survival.Survives()) {
    ++survival.losses().blocks_lost;
    return unsynced.disk;
  }
  const std::uint64_t version = survival.Below(2 * (unsynced.earlier.size() + 1));
  const bool overtaken = !survival.everything() && version < unsynced.earlier.size();
  const SimBlockRef& written = overtaken ? unsynced.earlier[version] : now;
  ++(overtaken ? survival.losses().blocks_overtaken : survival.losses().blocks_kept);
  if (!survival.Torn()) return written;
  ++survival.losses().blocks_torn;
  auto torn = std::make_shared_for_overwrite<SimBlock>();
  const std::uint64_t sectors = survival.Below(256);
  for (std::uint64_t sector = 0; sector < kSimBlockBytes / kSimSectorBytes; ++sector) {
    const SimBlockRef& from = ((sectors >> sector) & 1) != 0 ? written : unsynced.disk;
    std::memcpy(torn->data() + sector * kSimSectorBytes, BytesOf(from) + sector * kSimSectorBytes, kSimSectorBytes);
  }
  return torn;
}

SimInode SimInode::AfterPowerLoss(SimSurvival& survival) const {
  SimInode after;
  after.linked = true;
  after.size_ = disk_size_;
  const bool grew = size_ != disk_size_, kept = grew && survival.Survives();
  if (grew) ++(kept ? survival.losses().sizes_kept : survival.losses().sizes_lost);
  if (kept) after.size_ = size_;
  if (kept && !survival.everything()) {
    const std::uint64_t low = std::min(size_, disk_size_) / kSimBlockBytes + 1;
    const std::uint64_t high = std::max(size_, disk_size_) / kSimBlockBytes + 1;
    // A file that grew in several steps may be caught at a block border between them.
    if (low < high && survival.Below(2) == 0) after.size_ = (low + survival.Below(high - low)) * kSimBlockBytes;
  }
  after.disk_size_ = after.size_;
  after.now_ = now_;
  after.now_.resize(BlocksOf(after.size_));
  for (const auto& [index, unsynced] : unsynced_) {
    static const SimBlockRef kHole;
    SimBlockRef chosen = Choose(unsynced, index < now_.size() ? now_[index] : kHole, survival);
    if (index < after.now_.size()) after.now_[index] = std::move(chosen);
  }
  if (const std::uint64_t rest = after.size_ % kSimBlockBytes; rest != 0 && after.now_.back()) {
    const SimBlock& last = *after.now_.back();
    const auto begin = last.begin() + static_cast<std::ptrdiff_t>(rest);
    if (std::any_of(begin, last.end(), [](std::byte byte) { return byte != std::byte{}; })) {
      auto cut = std::make_shared<SimBlock>();
      std::copy(last.begin(), begin, cut->begin());
      after.now_.back() = std::move(cut);
    }
  }
  return after;
}

}  // namespace millrace
