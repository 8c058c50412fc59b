#include "wal/file_scan.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"

namespace millrace {

namespace {

constexpr std::uint64_t kWritePieceBytes = 1 << 20;
static_assert(kWritePieceBytes % kWalBlockBytes == 0);

}  // namespace

WalFileScan::WalFileScan(RecoveredFile& file, const std::optional<WalFileHeader>& successor, WalFileImage& image,
                         WalReplay& replay, RecoveredLog& log)
    : file_(file),
      successor_(successor),
      image_(image),
      replay_(replay),
      log_(log),
      limit_(successor ? std::min(successor->predecessor_end, file.end) : file.end),
      position_(file.header.predecessor_end),
      synced_to_(file.header.predecessor_end),
      generation_(file.header.generation) {
  if (file.header.last_frame.value() >= 0) previous_ = file.header.last_frame;
  log_.last_frame = file.header.last_frame;
}

std::uint64_t WalFileScan::OffsetOf(WalPosition position) const {
  MR_DCHECK(position >= file_.header.base, position.value(), file_.header.base.value());
  return kWalFileHeaderBytes + static_cast<std::uint64_t>(position - file_.header.base);
}

std::optional<WalFileScan::Found> WalFileScan::FrameInFile(WalPosition position) {
  if (position + static_cast<std::int64_t>(kWalFrameHeaderBytes) > limit_) return std::nullopt;
  const auto head = image_.At(OffsetOf(position), kWalFrameHeaderBytes);
  const auto header = DecodeWalFrameHeader(head);
  if (!header) return std::nullopt;
  const std::uint64_t length = kWalFrameHeaderBytes + header->payload_bytes;
  if (length > static_cast<std::uint64_t>(limit_ - position)) return std::nullopt;
  const auto bytes = image_.At(OffsetOf(position), length);
  if (!DecodeWalFrame(bytes, file_.header.generation, position)) return std::nullopt;
  if (header->previous >= position && !Planted(Bug::kWalCrcWithoutPosition)) return std::nullopt;
  return Found{*header, bytes};
}

std::optional<WalFileScan::Found> WalFileScan::FrameAt(WalPosition position) {
  if (generation_ == file_.header.generation) {
    if (auto found = FrameInFile(position)) return found;
  }
  if (!newest()) return std::nullopt;
  const StagedFrame* staged = log_.staging.Find(position);
  if (staged == nullptr || staged->header.generation < generation_) return std::nullopt;
  if (staged->header.previous >= position) return std::nullopt;
  const bool of_this_file = staged->header.generation == file_.header.generation;
  if (of_this_file && WalFrameEnd(staged->header) > limit_) return std::nullopt;
  return Found{staged->header, staged->bytes, true};
}

/// The frame that continues the chain: here, or at the next block if a group ended here.
std::optional<WalFileScan::Found> WalFileScan::NextFrame() {
  for (const WalPosition place : {position_, BlockUp(position_)}) {
    auto found = FrameAt(place);
    if (found && (!previous_ || found->header.previous == *previous_)) return found;
  }
  return std::nullopt;
}

Result<void> WalFileScan::Accept(const Found& found) {
  MR_DCHECK(found.header.position >= position_, found.header.position.value(), position_.value());
  MR_CHECK(!found.staged || newest(), found.header.position.value(), file_.disk->name());
  Count(WalVerdict::kGood);
  if (found.staged) {
    if (generation_ == file_.header.generation && found.header.position > position_) ClearPadding();
    Count(WalVerdict::kFromStaging);
    ++log_.report.frames_from_staging;
    if (found.header.generation != file_.header.generation) {
      if (log_.carried.empty()) clean_ = false;
      log_.carried.push_back({found.header, found.bytes});
      generation_ = found.header.generation;
    } else {
      if (!staged_from_) staged_from_ = found.header.position;
      image_.Overlay(OffsetOf(found.header.position), found.bytes);
    }
  }
  ++log_.report.frames;
  position_ = WalFrameEnd(found.header);
  previous_ = found.header.position;
  log_.last_frame = found.header.position;
  synced_to_ = std::max(synced_to_, found.header.synced_to);
  if (found.header.kind != WalFrameKind::kPayload) return {};
  file_.payload_end = position_;
  return replay_.OnFrame(found.header.stream, {found.header.position, position_},
                         found.bytes.subspan(kWalFrameHeaderBytes));
}

WalFileScan::Later WalFileScan::Search(WalPosition from) {
  Later later{.synced_to = WalPosition(-1), .end = from};
  for (WalPosition place = from; place + static_cast<std::int64_t>(kWalFrameHeaderBytes) <= limit_;
       place += static_cast<std::int64_t>(kWalFrameAlignment)) {
    const auto head = image_.At(OffsetOf(place), kWalFrameHeaderBytes);
    MR_DCHECK(head.size() == kWalFrameHeaderBytes, head.size(), place.value());
    if (!MayBeWalFrameAt(head.data(), place)) continue;
    const auto header = DecodeWalFrameHeader(head);
    if (!header || header->generation != file_.header.generation) continue;
    later.synced_to = std::max(later.synced_to, header->synced_to);
    later.end = std::max(later.end, std::min(WalFrameEnd(*header), limit_));
    // A frame may stand at `from` itself: whole, but not the one that follows what was found. Only what FrameAt takes
    // is a place to go on from.
    if (!later.first) later.first = FrameAt(place);
  }
  if (newest()) {
    for (const auto& [place, staged] : log_.staging.frames()) {
      if (place < from) continue;
      later.synced_to = std::max(later.synced_to, staged.header.synced_to);
      later.end = std::max(later.end, WalFrameEnd(staged.header));
      if (!later.first || place < later.first->header.position) {
        if (const auto found = FrameAt(place)) later.first = found;
      }
    }
  }
  return later;
}

void WalFileScan::CountWhatStandsAt(WalPosition position) {
  if (position >= limit_) return;
  const auto header = DecodeWalFrameHeader(image_.At(OffsetOf(position), kWalFrameHeaderBytes));
  if (!header) return;
  if (header->generation != file_.header.generation) {
    Count(WalVerdict::kStaleFrame);
  } else if (header->position != position) {
    Count(WalVerdict::kDuplicateFrame);
  }
}

/// The rest of a block behind a group's last frame is synced with it, and empty; a frame that was lost there left
/// bytes, or a successor that names it.
bool WalFileScan::FrameStoodAt(WalPosition position) {
  const WalPosition block_end = BlockUp(position);
  const auto rest = image_.At(OffsetOf(position), static_cast<std::uint64_t>(block_end - position));
  if (std::ranges::any_of(rest, [](std::byte byte) { return byte != std::byte{0}; })) return true;
  if (block_end + static_cast<std::int64_t>(kWalFrameHeaderBytes) > limit_) return false;
  const auto next = DecodeWalFrameHeader(image_.At(OffsetOf(block_end), kWalFrameHeaderBytes));
  return next && next->generation == file_.header.generation && next->position == block_end &&
         next->previous >= position;
}

Result<bool> WalFileScan::Judge() {
  CountWhatStandsAt(position_);
  if (BlockUp(position_) != position_) CountWhatStandsAt(BlockUp(position_));
  if (newest() && Planted(Bug::kWalStopAtZeroBlock)) {
    const auto block = image_.At(OffsetOf(BlockUp(position_)), kWalBlockBytes);
    if (std::ranges::all_of(block, [](std::byte b) { return b == std::byte{0}; })) {
      Cut({.end = position_});
      return false;
    }
  }
  const Later later = Search(position_);
  const WalPosition until = later.first ? later.first->header.position : limit_;
  const WalEvidence evidence = {
      // In the newest file a place that cannot be read may hold the log's end, wherever it is.
      .unreadable = image_.Unreadable(OffsetOf(position_), OffsetOf(newest() ? limit_ : until)) &&
                    !Planted(Bug::kWalUnreadableIsEmpty),
      .later_frames = later.first.has_value(),
      .known_synced = !newest() || later.synced_to > BlockUp(position_) ||
                      (later.synced_to > position_ && FrameStoodAt(position_))};
  const WalVerdict verdict = JudgeInvalidPlace(evidence);
  Count(verdict);
  switch (verdict) {
    case WalVerdict::kReadError:
      return CannotReadWal(*file_.disk, image_.unreadable_begin());
    case WalVerdict::kDamage: {
      clean_ = false;
      if (const auto header = DamagedFrameHere()) {
        MR_TRY(ReportDamagedFrame(*header));
        return true;
      }
      if (!later.first && !newest()) return false;  // lost up to the next file: Run says so
      const WalPosition end = later.first ? until : BlockUp(later.end);
      const bool one_frame = later.first && (later.first->header.previous == position_ ||
                                             later.first->header.previous == BlockUp(position_));
      MR_TRY(ReportDamage(end, "synced bytes hold no valid frame", one_frame));
      position_ = end;
      previous_.reset();
      return later.first.has_value();
    }
    default:
      MR_CHECK(verdict == WalVerdict::kTornTail || verdict == WalVerdict::kHole, WalVerdictName(verdict));
      Cut(later);
      return false;
  }
}

void WalFileScan::Cut(const Later& later) {
  MR_DCHECK(newest() && later.end >= position_, later.end.value(), position_.value());
  log_.report.bytes_cut += static_cast<std::uint64_t>(later.end - position_);
  if (later.end > position_) clean_ = false;  // something whole enough to be mistaken later stands there
}

void WalFileScan::ClearPadding() {
  const WalPosition end = std::min(BlockUp(position_), file_.end);
  if (position_ >= end) return;
  const auto rest = image_.At(OffsetOf(position_), static_cast<std::uint64_t>(end - position_));
  if (std::ranges::all_of(rest, [](std::byte byte) { return byte == std::byte{0}; })) return;
  const std::vector<std::byte> zeros(rest.size());
  image_.Overlay(OffsetOf(position_), zeros);
  staged_from_ = std::min(staged_from_.value_or(position_), position_);
}

std::optional<WalFrameHeader> WalFileScan::DamagedFrameHere() {
  for (const WalPosition place : {position_, BlockUp(position_)}) {
    if (place + static_cast<std::int64_t>(kWalFrameHeaderBytes) > limit_) continue;
    const auto header = DecodeWalFrameHeader(image_.At(OffsetOf(place), kWalFrameHeaderBytes));
    if (!header || header->kind != WalFrameKind::kPayload || header->position != place) continue;
    if (header->generation != file_.header.generation || WalFrameEnd(*header) > limit_) continue;
    if (previous_ ? header->previous == *previous_ : place == position_) return header;
  }
  return std::nullopt;
}

Result<void> WalFileScan::ReportDamagedFrame(const WalFrameHeader& header) {
  position_ = header.position;
  const WalPosition end = WalFrameEnd(header);
  const auto payload = image_.At(OffsetOf(position_) + kWalFrameHeaderBytes, header.payload_bytes);
  WalDamage damage = DamageUpTo(end, "a frame does not hold what its checksum says");
  damage.stream = header.stream;
  damage.one_frame = true;
  log_.report.damage.push_back(damage);
  MR_TRY(replay_.OnDamagedFrame(damage, payload));
  previous_ = log_.last_frame = position_;
  position_ = file_.payload_end = end;
  synced_to_ = std::max(synced_to_, header.synced_to);
  return {};
}

WalDamage WalFileScan::DamageUpTo(WalPosition end, std::string reason) const {
  return {.extent = {position_, end},
          .file = file_.disk->name(),
          .byte_begin = OffsetOf(position_),
          .byte_end = std::min(OffsetOf(end), file_.disk->bytes()),
          .reason = std::move(reason),
          .stream = {}};
}

Result<void> WalFileScan::ReportDamage(WalPosition end, std::string reason, bool one_frame) {
  MR_CHECK(end >= position_, end.value(), position_.value());
  WalDamage damage = DamageUpTo(end, std::move(reason));
  damage.one_frame = one_frame;
  log_.report.damage.push_back(damage);
  return replay_.OnDamage(damage);
}

Result<void> WalFileScan::LoadStaging(FileSystem& file_system, const std::filesystem::path& directory) {
  if (Planted(Bug::kWalIgnoreStaging)) return {};
  MR_ASSIGN_OR_RETURN(log_.staging, StagingImage::Load(file_system, directory, position_, file_.header.generation));
  return {};
}

Result<void> WalFileScan::Run(FileSystem& file_system, const std::filesystem::path& directory) {
  bool staging_loaded = !newest();
  for (;;) {
    if (!newest() && position_ >= limit_) break;
    if (const auto found = NextFrame()) {
      MR_TRY(Accept(*found));
      continue;
    }
    if (!staging_loaded) {
      staging_loaded = true;
      MR_TRY(LoadStaging(file_system, directory));
      continue;
    }
    const bool all_there = !newest() && BlockUp(position_) == BlockUp(successor_->predecessor_end) &&
                           (!previous_ || *previous_ == successor_->last_frame);
    if (all_there) break;
    const WalPosition judged = position_;
    MR_ASSIGN_OR_RETURN(const bool goes_on, Judge());
    MR_CHECK(position_ >= judged, position_.value(), judged.value());
    if (!goes_on) break;
  }
  log_.report.bytes_scanned += image_.bytes_read();
  if (!newest()) {
    const bool lost = BlockUp(position_) < BlockUp(successor_->predecessor_end) ||
                      (previous_ && *previous_ != successor_->last_frame);
    return lost ? ReportDamage(std::max(successor_->predecessor_end, position_), "synced bytes hold no valid frame")
                : Result<void>();
  }
  if (!log_.carried.empty()) {
    log_.end = log_.carried.front().header.position;
  } else {
    log_.end = BlockUp(position_);
  }
  MR_CHECK(log_.end >= file_.header.predecessor_end, log_.end.value(), file_.header.predecessor_end.value());
  log_.proven_end = file_.payload_end <= synced_to_ ? log_.end : synced_to_;
  log_.may_continue = clean_;
  if (log_.carried.empty()) ClearPadding();
  return MakeDurable();
}

Result<void> WalFileScan::MakeDurable() {
  const WalPosition end = std::min(log_.carried.empty() ? BlockUp(position_) : BlockUp(log_.end), file_.end);
  WalPosition begin = std::max(BlockDown(synced_to_), file_.header.base);
  if (staged_from_) begin = std::min(begin, BlockDown(*staged_from_));
  MR_CHECK(begin == BlockDown(begin) && begin >= file_.header.base, begin.value(), file_.header.base.value());
  File& file = *file_.disk->writer;
  // Nothing in this file knows of a sync: then its header may be in the page cache only, too.
  const bool header_proven = synced_to_ > file_.header.predecessor_end;
  if (!header_proven) MR_TRY(file_.disk->WriteHeader(file_.header));
  if (begin >= end || (synced_to_ >= position_ && !staged_from_)) return header_proven ? Result<void>() : file.Sync();
  for (std::uint64_t at = OffsetOf(begin); at < OffsetOf(end); at += kWritePieceBytes) {
    const auto piece = image_.At(at, std::min(kWritePieceBytes, OffsetOf(end) - at));
    MR_TRY(file.WriteAt(at, piece));
  }
  return file.Sync();
}

}  // namespace millrace
