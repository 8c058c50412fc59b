#include "wal/file_chain.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace millrace {

namespace {

/// The first file is small, so that an empty directory takes its first record at once; each next one is larger.
constexpr std::uint64_t kFirstFileBytes = 1 << 20;
constexpr std::uint64_t kGrowth = 4;

std::shared_ptr<WalFile> MakeFile(const ReadyWalFile& ready, const FileChain::Entry& entry,
                                  std::uint64_t predecessor_generation) {
  // What recovery asks of a header before it believes it.
  MR_CHECK(ready.generation > predecessor_generation, ready.generation, predecessor_generation);
  MR_CHECK(entry.base == BlockDown(entry.at) && entry.last_frame < entry.at, entry.base.value(), entry.at.value(),
           entry.last_frame.value());
  return std::make_shared<WalFile>(ready.disk, WalFileHeader{.state = WalFileState::kLive,
                                                             .generation = ready.generation,
                                                             .base = entry.base,
                                                             .capacity = ready.disk->capacity,
                                                             .predecessor_generation = predecessor_generation,
                                                             .predecessor_end = entry.at,
                                                             .last_frame = entry.last_frame});
}

}  // namespace

FileChain::FileChain(const Limits& limits) : limits_(limits) {
  MR_CHECK(limits_.file_bytes_max > 0 && limits_.file_bytes_max % kWalBlockBytes == 0, limits_.file_bytes_max);
}

bool FileChain::Holds(const FilePointer& file) const { return std::ranges::find(files_, file) != files_.end(); }

FileChain::FilePointer FileChain::Named(std::string_view name) const {
  const auto file = std::ranges::find_if(files_, [&](const auto& held) { return held->name() == name; });
  return file == files_.end() ? nullptr : *file;
}

FileChain::Holder FileChain::HolderOf(WalPosition position) const {
  const auto after =
      std::ranges::find_if(files_, [&](const auto& file) { return file->header().predecessor_end > position; });
  MR_CHECK(after != files_.begin(), position.value());
  return {.file = *std::prev(after),
          .end = after != files_.end() ? (*after)->header().predecessor_end
                                       : WalPosition(std::numeric_limits<WalPosition::rep>::max())};
}

FileChain::FilePointer FileChain::SoleHolderOf(WalExtent extent) const {
  MR_CHECK(extent.begin < extent.end, extent.begin.value(), extent.end.value());
  const auto after = std::ranges::find_if(files_, [&](const auto& file) { return file->base() > extent.begin; });
  if (after == files_.begin() || (after != files_.end() && (*after)->base() < extent.end)) return nullptr;
  return *std::prev(after);
}

void FileChain::AddRecovered(FilePointer file) {
  NoteCapacity(file->header().capacity);
  files_.push_back(std::move(file));
  CheckInvariants();
}

void FileChain::Add(FilePointer file) {
  MR_CHECK(files_.empty() || file->header().predecessor_generation == files_.back()->generation(), file->name());
  files_.push_back(std::move(file));
  CheckInvariants();
}

FileChain::FilePointer FileChain::MakeNext(const ReadyWalFile& ready, const Entry& entry) const {
  return MakeFile(ready, entry, files_.empty() ? 0 : files_.back()->generation());
}

FileChain::Lack FileChain::LackOfRoll(std::uint64_t capacity_min) const {
  const ReadyWalFile* fitting = FindReady(capacity_min);
  if (!BudgetAllows(fitting ? fitting->disk->bytes() : NextCapacity(capacity_min) + kWalFileHeaderBytes)) {
    return Lack::kBudget;
  }
  return fitting ? Lack::kNothing : Lack::kFile;
}

void FileChain::Roll(const ReadyWalFile& ready, WalPosition payload_end, const Entry& entry) {
  MR_CHECK(payload_end <= entry.at && entry.at >= files_.back()->base(), payload_end.value(), entry.at.value(),
           files_.back()->base().value());
  files_.back()->payload_end = payload_end;
  files_.push_back(MakeNext(ready, entry));
  ++rolls_;
  CheckInvariants();
}

std::vector<FileChain::FilePointer> FileChain::Replace(const ReadyWalFile& ready, const Entry& entry) {
  std::vector<FilePointer> dropped;
  while (!files_.empty() && files_.back()->base() >= entry.base) {
    dropped.push_back(std::move(files_.back()));
    files_.pop_back();
  }
  MR_CHECK(!files_.empty() || !dropped.empty());
  if (!files_.empty()) files_.back()->payload_end = entry.at;
  // If the oldest file is replaced too, the new one follows what that one followed.
  files_.push_back(files_.empty() ? MakeFile(ready, entry, dropped.back()->header().predecessor_generation)
                                  : MakeNext(ready, entry));
  for (const auto& file : dropped) {
    // Never given to the disk: nothing is wrong with it, but its generation is below the fresh one now.
    if (!file->begun() && !file->failed()) rework_.push_back(file->disk());
  }
  CheckInvariants();
  return dropped;
}

bool FileChain::FrontIsDone(WalPosition position, WalPosition durable_end) const {
  const WalFile& next = *files_[1];
  return files_[0]->payload_end <= position && next.header().predecessor_end <= durable_end && next.header_synced();
}

bool FileChain::Frees(WalPosition position, WalPosition durable_end) const {
  return !unfreed_.empty() || (files_.size() > 1 && FrontIsDone(position, durable_end));
}

FileChain::FilePointer FileChain::NextToFree(WalPosition position, WalPosition durable_end) {
  if (unfreed_.empty() && files_.size() > 1 && FrontIsDone(position, durable_end)) {
    unfreed_.push_back(std::move(files_.front()));
    files_.pop_front();
    CheckInvariants();
  }
  return unfreed_.empty() ? nullptr : unfreed_.front();
}

void FileChain::OnFreed() {
  MR_CHECK(!unfreed_.empty());
  unfreed_.pop_front();
}

bool FileChain::PoolTakes(const WalDiskFile& disk) const {
  return HeldBytes() + PoolBytes() + disk.bytes() <= limits_.bytes_max;
}

void FileChain::ContinueAt(std::uint64_t next_generation, std::uint64_t next_slot) {
  MR_CHECK(next_generation >= next_generation_ && next_slot >= next_slot_, next_generation, next_slot);
  next_generation_ = next_generation;
  next_slot_ = next_slot;
}

std::optional<ReadyWalFile> FileChain::TakeRework(std::uint64_t capacity_min) {
  const auto fitting = std::ranges::find_if(rework_, [&](const auto& disk) { return disk->capacity >= capacity_min; });
  if (fitting == rework_.end()) return std::nullopt;
  ReadyWalFile taken{.disk = std::move(*fitting), .generation = TakeGeneration()};
  rework_.erase(fitting);
  return taken;
}

void FileChain::AddBuilt(ReadyWalFile ready) {
  NoteCapacity(ready.disk->capacity);
  AddReady(std::move(ready));
}

void FileChain::AddFreed(ReadyWalFile ready) { AddReady(std::move(ready)); }

void FileChain::AddReady(ReadyWalFile ready) {
  MR_CHECK(ready_.empty() || ready.generation > ready_.back().generation, ready.generation, ready_.back().generation);
  ready_.push_back(std::move(ready));
  CheckInvariants();
}

std::optional<ReadyWalFile> FileChain::TakeReady(std::uint64_t capacity_min) {
  while (!ready_.empty()) {
    ReadyWalFile ready = std::move(ready_.front());
    ready_.pop_front();
    if (ready.disk->capacity >= capacity_min) {
      MR_CHECK(files_.empty() || ready.generation > files_.back()->generation(), ready.generation);
      return ready;
    }
    // Too small now, and too old later: generations are used in order.
    rework_.push_back(std::move(ready.disk));
  }
  return std::nullopt;
}

bool FileChain::LacksFile(WalPosition end) const {
  MR_CHECK(!files_.empty() && end >= active()->base(), end.value(), files_.size());
  const WalFile& file = *active();
  const auto used = static_cast<std::uint64_t>(end - file.base());
  const std::size_t wanted = used * 4 < file.disk()->capacity ? 0 : rolls_ < 2 ? 1 : 2;
  if (ready_.size() >= wanted) return false;
  const std::uint64_t made = rework_.empty() ? NextCapacity(0) + kWalFileHeaderBytes : 0;
  return HeldBytes() + PoolBytes() + made <= limits_.bytes_max;
}

std::uint64_t FileChain::NextCapacity(std::uint64_t capacity_min) const {
  const std::uint64_t wanted = built_capacity_ == 0 ? std::min(kFirstFileBytes, limits_.file_bytes_max)
                                                    : std::min(built_capacity_ * kGrowth, limits_.file_bytes_max);
  return AlignUp(std::max(wanted, capacity_min), kWalBlockBytes);
}

std::uint64_t FileChain::HeldBytes() const {
  return std::accumulate(files_.begin(), files_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& file) { return sum + file->disk()->bytes(); });
}

std::uint64_t FileChain::HeldBytesFrom(WalPosition position) const {
  std::uint64_t sum = 0;
  for (std::size_t i = files_.size(); i-- > 0;) {
    sum += files_[i]->disk()->bytes();
    if (files_[i]->header().predecessor_end <= position) break;
  }
  return sum;
}

std::uint64_t FileChain::PoolBytes() const {
  std::uint64_t sum = 0;
  for (const auto& ready : ready_) sum += ready.disk->bytes();
  for (const auto& disk : rework_) sum += disk->bytes();
  return sum;
}

bool FileChain::BudgetAllows(std::uint64_t file_bytes) const {
  // With nothing but the active file there is nothing to wait for: one more is always allowed.
  return HeldBytes() + file_bytes <= limits_.bytes_max || files_.size() <= 1;
}

std::optional<std::vector<WalCleanClose::File>> FileChain::CleanFiles(const LineEnd& line) const {
  // Files on their way out of the chain could still be taken for a part of it.
  if (!unfreed_.empty() || files_.empty()) return std::nullopt;
  std::vector<WalCleanClose::File> clean;
  for (const auto& file : files_) {
    if (!file->begun() || !file->header_synced() || file->failed()) return std::nullopt;
    clean.push_back({file->generation(), file->base(), file->payload_end});
  }
  // The last frame in the newest file is what an opening looks for; where that holds none, its header knows as much.
  const WalFileHeader& newest = files_.back()->header();
  const bool holds_none = line.end == newest.predecessor_end && line.last_frame == newest.last_frame;
  if (line.last_frame < newest.base && !holds_none) return std::nullopt;
  return clean;
}

const ReadyWalFile* FileChain::FindReady(std::uint64_t capacity_min) const {
  const auto fitting =
      std::ranges::find_if(ready_, [&](const ReadyWalFile& ready) { return ready.disk->capacity >= capacity_min; });
  return fitting == ready_.end() ? nullptr : &*fitting;
}

void FileChain::NoteCapacity(std::uint64_t capacity) {
  built_capacity_ = std::max(built_capacity_, std::min(capacity, limits_.file_bytes_max));
}

void FileChain::CheckInvariants() const {
#ifndef NDEBUG
  for (std::size_t i = 1; i < files_.size(); ++i) {
    MR_CHECK(files_[i - 1]->generation() < files_[i]->generation(), files_[i - 1]->name(), files_[i]->name());
  }
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    const std::uint64_t before = i > 0 ? ready_[i - 1].generation : files_.empty() ? 0 : files_.back()->generation();
    MR_CHECK(before < ready_[i].generation, before, ready_[i].generation);
  }
  // A file has one use at a time: of the chain, ready, to be reworked, or on its way out.
  std::vector<const WalDiskFile*> disks;
  for (const auto& file : files_) disks.push_back(file->disk().get());
  for (const auto& ready : ready_) disks.push_back(ready.disk.get());
  for (const auto& disk : rework_) disks.push_back(disk.get());
  std::ranges::sort(disks);
  MR_CHECK(std::ranges::adjacent_find(disks) == disks.end(), disks.size());
#endif
}

}  // namespace millrace
