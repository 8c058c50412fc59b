#include "wal/wal_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"
#include "wal/file_scan.h"

namespace millrace {

WalRecovery::WalRecovery(FileSystem& file_system, std::filesystem::path directory, OpenFile open_file,
                         WalReplay& replay)
    : file_system_(file_system), directory_(std::move(directory)), open_file_(std::move(open_file)), replay_(replay) {}

Result<void> WalRecovery::LoadCandidates() {
  MR_ASSIGN_OR_RETURN(const auto entries, file_system_.List(directory_));
  for (const DirectoryEntry& entry : entries) {
    log_.has_clean_close |= entry.name == kCleanCloseFileName;
    const auto slot = WalFileSlot(entry.name);
    if (!slot || entry.is_directory) continue;
    log_.next_slot = std::max(log_.next_slot, *slot + 1);
    MR_ASSIGN_OR_RETURN(auto disk, open_file_(entry.name));
    WalFileImage image(*disk, kWalFileHeaderBytes, memory_);
    const auto block = image.At(0, kWalFileHeaderBytes);
    if (image.Unreadable(0, kWalFileHeaderBytes) && !Planted(Bug::kWalUnreadableIsEmpty))
      return CannotReadWal(*disk, 0);
    Candidate candidate{.disk = std::move(disk), .header = DecodeWalFileHeader(block)};
    if (candidate.header && candidate.header->capacity > candidate.disk->capacity) {
      candidate.header->capacity = candidate.disk->capacity;  // cut short from outside: what is missing is damage
    }
    if (candidate.header) log_.next_generation = std::max(log_.next_generation, candidate.header->generation + 1);
    candidates_.push_back(std::move(candidate));
  }
  return {};
}

/// Reads from the frames what a lost header said: from those of the newest generation, since a recycled file holds
/// older ones too. Only a whole frame speaks: the head of a torn one may stand in a file that was given up when the log
/// went on in the one before.
Result<void> WalRecovery::IdentifyByFrames(Candidate& candidate) {
  WalFileImage image(*candidate.disk, candidate.disk->bytes(), memory_);
  for (std::uint64_t at = kWalFileHeaderBytes; at + kWalFrameHeaderBytes <= image.size(); at += kWalFrameAlignment) {
    const auto header = DecodeWalFrameHeader(image.At(at, kWalFrameHeaderBytes));
    const std::uint64_t length = header ? kWalFrameHeaderBytes + std::uint64_t{header->payload_bytes} : 0;
    if (!header || length > image.size() - at) continue;
    if (!DecodeWalFrame(image.At(at, length), header->generation, header->position)) continue;
    const WalPosition base = header->position - static_cast<std::int64_t>(at - kWalFileHeaderBytes);
    if (base != BlockDown(base) || base.value() < 0) continue;
    if (candidate.header && candidate.header->generation >= header->generation) continue;
    log_.next_generation = std::max(log_.next_generation, header->generation + 1);
    candidate.header = WalFileHeader{.state = WalFileState::kLive,
                                     .generation = header->generation,
                                     .base = base,
                                     .capacity = candidate.disk->capacity,
                                     .predecessor_end = at == kWalFileHeaderBytes ? base : header->position,
                                     .last_frame = at == kWalFileHeaderBytes ? header->previous : WalPosition(-1)};
  }
  if (image.unreadable_begin() < image.size() && !Planted(Bug::kWalUnreadableIsEmpty))
    return CannotReadWal(*candidate.disk, image.unreadable_begin());
  return {};
}

Result<void> WalRecovery::BuildChain() {
  std::map<std::uint64_t, Candidate> live;
  std::vector<Candidate> lost;
  for (Candidate& candidate : candidates_) {
    if (!candidate.header) {
      lost.push_back(std::move(candidate));
    } else if (candidate.header->state == WalFileState::kFree) {
      log_.reusable.push_back(std::move(candidate.disk));
    } else if (!live.emplace(candidate.header->generation, candidate).second) {
      Count(WalVerdict::kDuplicateFile);
    }
  }
  for (Candidate& candidate : lost) {
    MR_TRY(IdentifyByFrames(candidate));
    const std::uint64_t generation = candidate.header ? candidate.header->generation : 0;
    const bool named = std::ranges::any_of(
        live, [&](const auto& entry) { return entry.second.header->predecessor_generation == generation; });
    const bool newest = live.empty() || generation > live.rbegin()->first;
    if (generation == 0 || live.contains(generation) || (!named && !newest)) {
      Count(WalVerdict::kInterruptedCreation);
      log_.unfinished.push_back(std::move(candidate.disk));
      continue;
    }
    const auto older = live.lower_bound(generation);
    if (older != live.begin()) candidate.header->predecessor_generation = std::prev(older)->first;
    Count(WalVerdict::kRepairedHeader);
    live.emplace(generation, std::move(candidate));
  }
  std::uint64_t wanted = live.empty() ? 0 : live.rbegin()->first;
  for (auto entry = live.rbegin(); entry != live.rend(); ++entry) {
    Candidate& candidate = entry->second;
    const WalFileHeader& header = *candidate.header;
    if (header.generation > wanted || wanted == 0) {
      Count(WalVerdict::kVoidFile);
      log_.left_aside.push_back(std::move(candidate.disk));
      continue;
    }
    log_.files.push_back({.disk = std::move(candidate.disk),
                          .header = header,
                          .end = header.base + static_cast<std::int64_t>(header.capacity)});
    wanted = header.predecessor_generation;
  }
  std::ranges::reverse(log_.files);
  for (std::size_t i = 1; i < log_.files.size(); ++i)
    MR_CHECK(log_.files[i - 1].header.generation < log_.files[i].header.generation, log_.files[i].disk->name());
  // Every file that was listed is in one of them: what is in none would be forgotten, and its frames with it.
  const std::size_t placed = log_.files.size() + log_.reusable.size() + log_.unfinished.size() + log_.left_aside.size();
  const auto duplicates = log_.report.verdicts[static_cast<std::size_t>(WalVerdict::kDuplicateFile)];
  MR_CHECK(placed + duplicates == candidates_.size(), placed, duplicates, candidates_.size());
  return {};
}

bool WalRecovery::AgreesWith(const WalCleanClose& close) {
  if (log_.files.empty() || log_.files.size() != close.files.size()) return false;
  // A repaired or lost file, one left aside, one claimed twice: the files changed after the close.
  if (!log_.unfinished.empty() || !log_.left_aside.empty()) return false;
  if (log_.report.verdicts != WalVerdictCounts{}) return false;
  for (std::size_t i = 0; i < log_.files.size(); ++i) {
    const WalFileHeader& header = log_.files[i].header;
    const WalCleanClose::File& closed = close.files[i];
    if (header.generation != closed.generation || header.base != closed.base) return false;
    if (i > 0 && header.predecessor_generation != close.files[i - 1].generation) return false;
  }
  // Nothing was written since: the last frame ends where the line ended, and none follows, in the file or in the ring.
  const RecoveredFile& newest = log_.files.back();
  const WalPosition limit = newest.header.base + static_cast<std::int64_t>(newest.header.capacity);
  if (close.last_frame < newest.header.base) {
    // The newest file holds none: its header says where the line entered it, and what stands before that was synced.
    if (close.last_frame != newest.header.last_frame || close.end != newest.header.predecessor_end) return false;
    if (HeaderAt(close.end)) return false;
    last_synced_to_ = close.end;
    return NoteTellsAll(close) && RingConfirms(newest, close.end);
  }
  const auto last = HeaderAt(close.last_frame);
  if (!last || BlockUp(WalFrameEnd(*last)) != close.end || close.end > limit || HeaderAt(close.end)) return false;
  last_synced_to_ = last->synced_to;
  return NoteTellsAll(close) && RingConfirms(newest, close.end);
}

std::optional<WalFrameHeader> WalRecovery::HeaderAt(WalPosition position) const {
  const auto after = std::ranges::find_if(
      log_.files, [&](const RecoveredFile& file) { return file.header.predecessor_end > position; });
  if (after == log_.files.begin()) return {};
  const RecoveredFile& file = *std::prev(after);
  const WalPosition limit = file.header.base + static_cast<std::int64_t>(file.header.capacity);
  std::array<std::byte, kWalFrameHeaderBytes> bytes;
  if (position + static_cast<std::int64_t>(bytes.size()) > limit) return {};
  const auto offset = kWalFileHeaderBytes + static_cast<std::uint64_t>(position - file.header.base);
  const auto got = file.disk->reader->ReadAt(offset, bytes);
  if (!got || *got != bytes.size()) return {};
  auto header = DecodeWalFrameHeader(bytes);
  if (!header || header->position != position || header->generation != file.header.generation) return {};
  return header;
}

bool WalRecovery::NoteTellsAll(const WalCleanClose& close) const {
  constexpr int kMarksMax = 8;
  WalPosition at = close.last_frame;
  for (int marks = 0; marks < kMarksMax; ++marks) {
    if (at < log_.files.front().header.predecessor_end) return true;  // nothing but marks is held
    const auto header = HeaderAt(at);
    if (!header) return false;
    if (header->kind == WalFrameKind::kPayload) {
      return WalFrameEnd(*header) <= close.note_end || Planted(Bug::kWalNoteOfEarlier);
    }
    at = header->previous;
  }
  return false;
}

bool WalRecovery::RingConfirms(const RecoveredFile& newest, WalPosition end) {
  const WalPosition base = newest.header.base;
  const auto staging = StagingImage::Load(file_system_, directory_, base, newest.header.generation);
  if (!staging) return false;
  if (staging->frames().empty()) return true;
  const WalPosition begin = BlockDown(staging->frames().begin()->first);
  if (begin >= end) return false;
  const auto held = memory_.Reserve(static_cast<std::uint64_t>(end - begin));
  const auto got = newest.disk->writer->ReadAt(kWalFileHeaderBytes + static_cast<std::uint64_t>(begin - base), held);
  if (!got || *got != held.size()) return false;
  return std::ranges::all_of(staging->frames(), [&](const auto& entry) {
    const auto& [position, staged] = entry;
    const auto offset = static_cast<std::size_t>(position - begin);
    if (offset >= held.size() || staged.bytes.size() > held.size() - offset) return false;
    return std::ranges::equal(staged.bytes, held.subspan(offset, staged.bytes.size()));
  });
}

bool WalRecovery::TakeCleanClose() {
  if (!log_.has_clean_close) return false;
  const auto close = ReadWalCleanClose(file_system_, directory_);
  if (!close || !AgreesWith(*close) || !replay_.OnCleanClose(close->note)) return false;
  for (std::size_t i = 0; i < log_.files.size(); ++i) {
    RecoveredFile& file = log_.files[i];
    file.payload_end = close->files[i].payload_end;
    file.end = i + 1 < log_.files.size() ? std::min(file.end, log_.files[i + 1].header.predecessor_end) : file.end;
  }
  log_.end = close->end;
  log_.last_frame = close->last_frame;
  log_.proven_end = close->files.back().payload_end <= last_synced_to_ ? log_.end : last_synced_to_;
  log_.may_continue = true;
  log_.report.clean_close = true;
  return true;
}

Result<RecoveredLog> WalRecovery::Run() {
  MR_TRY(LoadCandidates());
  MR_TRY(BuildChain());
  log_.report.files = log_.files.size();
  if (TakeCleanClose()) return std::move(log_);
  for (std::size_t i = 0; i < log_.files.size(); ++i) {
    RecoveredFile& file = log_.files[i];
    std::optional<WalFileHeader> successor;
    if (i + 1 < log_.files.size()) successor = log_.files[i + 1].header;
    const bool gap_follows = successor && successor->predecessor_generation != file.header.generation;
    if (gap_follows) {
      // The file that came next is gone: this one is judged as if it had been full.
      Count(WalVerdict::kMissingFile);
    }
    const std::uint64_t bytes = kWalFileHeaderBytes + static_cast<std::uint64_t>(file.end - file.header.base);
    WalFileImage image(*file.disk, bytes, memory_);
    WalFileScan scan(file, successor, image, replay_, log_);
    MR_TRY(scan.Run(file_system_, directory_));
    MR_CHECK(!successor || log_.carried.empty(), file.disk->name(), log_.carried.size());
    if (successor) file.end = std::min(file.end, successor->predecessor_end);
  }
  for (const auto& [position, staged] : log_.staging.frames()) {
    log_.next_generation = std::max(log_.next_generation, staged.header.generation + 1);
  }
  return std::move(log_);
}

}  // namespace millrace
