// Appending: a place on the line, a copy into the staging ring, and what to do when there is no room.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bugs.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/deadline.h"
#include "base/eager_lock.h"
#include "base/try.h"
#include "wal/disk_wal.h"

namespace millrace {

namespace {

constexpr std::chrono::milliseconds kRetryBuild{50};

Error NoRoomNow() { return Error(ErrorCode::kUnavailable, "the WAL's staging buffer has no room at the moment"); }

Error BudgetUsedUp() {
  return Error(ErrorCode::kOutOfSpace, "the WAL's budget is used up",
               "Wait for uploads, run `wal recycle`, or raise wal_bytes_max.");
}

}  // namespace

Result<void> DiskWal::CheckUsable() const {
  if (closing_ || staging_stopped_) return Error(ErrorCode::kClosed, "the WAL is closed");
  if (const Error* poison = commit_.poison()) return *poison;
  return {};
}

bool DiskWal::IsLarge(std::uint64_t frame_bytes) const { return frame_bytes > ring_->size() / 2; }

Result<WalExtent> DiskWal::TryAppend(WalStream stream, std::span<const std::span<const std::byte>> pieces) {
  WalFrameHeader header = {.kind = WalFrameKind::kPayload, .stream = stream};
  std::uint64_t payload_bytes = 0;
  for (const auto piece : pieces) {
    payload_bytes += piece.size();
    header.payload_crc = Crc32c(piece, header.payload_crc);
  }
  return TryStage(header, payload_bytes, pieces);
}

Result<WalExtent> DiskWal::TryAppendWithCrc(WalStream stream, std::span<const std::byte> head,
                                            std::span<const std::byte> body, std::uint32_t body_crc) {
  const std::array pieces = {head, body};
  const WalFrameHeader header = {.kind = WalFrameKind::kPayload,
                                 .payload_crc = Crc32cJoined(Crc32c(head), body_crc, body.size()),
                                 .stream = stream};
  return TryStage(header, head.size() + body.size(), pieces);
}

Result<WalExtent> DiskWal::TryStage(WalFrameHeader header, std::uint64_t payload_bytes,
                                    std::span<const std::span<const std::byte>> pieces) {
  if (payload_bytes > options_.frame_bytes_max) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("a WAL frame of {} bytes exceeds {}", payload_bytes, options_.frame_bytes_max));
  }
  header.payload_bytes = static_cast<std::uint32_t>(payload_bytes);

  EagerLock lock(mutex_);
  MR_TRY(CheckUsable());
  const std::uint64_t frame_bytes = WalFrameBytes(payload_bytes);
  if (MakePlace(frame_bytes) != Missing::kNothing) return NoRoomNow();
  if (IsLarge(frame_bytes)) {
    PadToBlock();
    const WalPosition begin = commit_.end();
    ring_->BeginLarge(begin, begin + static_cast<std::int64_t>(AlignUp(frame_bytes, kWalBlockBytes)));
  }
  const auto staged = Stage(header, pieces);
  if (!staged) {
    if (IsLarge(frame_bytes)) ring_->EndLarge();
    return staged.error();
  }
  const WalExtent extent = *staged;
  stats_.payload_bytes += payload_bytes;
  if (const Error* poison = commit_.poison()) return *poison;  // staging could not be written
  if (idle_.asleep() && (!idle_.armed() || DrainDue())) WakeSleeper();
  return extent;
}

DiskWal::Missing DiskWal::MakePlace(std::uint64_t frame_bytes, WalFrameKind kind) {
  if (!active_usable_) return Missing::kUsableFile;
  if (ring_->holds_large()) return Missing::kStaging;  // it is alone until it is written
  const WalPosition end = commit_.end();
  const bool large = IsLarge(frame_bytes);
  const auto bytes = static_cast<std::int64_t>(frame_bytes);
  const WalFile& active = *chain_.active();
  const WalPosition limit = kind == WalFrameKind::kMark ? active.limit() : active.payload_limit();
  const bool fits_file = (large ? BlockUp(end) : end) + bytes <= limit;
  const WalPosition begin = fits_file && !large ? end : BlockUp(end);
  const WalPosition staged_end = large ? begin : BlockUp(begin + bytes);
  if (staged_end - commit_.written_end() > static_cast<std::int64_t>(ring_->size())) return Missing::kStaging;
  if (large && ring_->large_size() < AlignUp(frame_bytes, kWalBlockBytes)) return Missing::kLargeArea;
  return fits_file ? Missing::kNothing : Roll(frame_bytes + kWalBlockBytes);
}

void DiskWal::PadToBlock() {
  const WalPosition end = commit_.end();
  const WalPosition padded = BlockUp(end);
  if (padded == end) return;
  ring_->Zero(end, static_cast<std::uint64_t>(padded - end));
  commit_.PadTo(padded);
}

Result<WalExtent> DiskWal::Stage(WalFrameHeader header, std::span<const std::span<const std::byte>> pieces) {
  const WalPosition begin = commit_.end();
  const auto frame_bytes = static_cast<std::int64_t>(WalFrameBytes(header.payload_bytes));
  MR_CHECK(begin >= commit_.closed_end() && begin + frame_bytes <= chain_.active()->limit(), begin.value(),
           frame_bytes);
  header.generation = chain_.active()->generation();
  header.position = begin;
  header.previous = commit_.last_frame();
  header.synced_to = commit_.durable_end();
  if (Planted(Bug::kWalWrongSyncedTo)) header.synced_to = begin;
  std::array<std::byte, kWalFrameHeaderBytes> encoded;
  EncodeWalFrameHeader(header, encoded);
  // Header first: a process that dies in between leaves a payload that fails its CRC.
  ring_->CopyIn(begin, encoded);
  WalPosition at = begin + static_cast<std::int64_t>(kWalFrameHeaderBytes);
  for (const auto piece : pieces) {
    ring_->CopyIn(at, piece);
    at += static_cast<std::int64_t>(piece.size());
  }
  const WalPosition end = begin + frame_bytes;
  ring_->Zero(at, static_cast<std::uint64_t>(end - at));
  if (auto published = ring_->Publish(begin, static_cast<std::uint64_t>(frame_bytes)); !published) {
    // A disk that is full takes it later: it has no place in the order yet, and the next frame gets this one.
    if (published.error().code() == ErrorCode::kOutOfSpace)
      return published.error().WithContext("the WAL's staging file").WithRetryable(true);
    SetPoison(published.error().WithContext("the WAL's staging file").WithRetryable(false));
  }
  commit_.OnStaged(header);
  MR_DCHECK(ring_->holds_large() || BlockUp(end) - commit_.written_end() <= static_cast<std::int64_t>(ring_->size()));
  ++stats_.frames;
  return WalExtent{begin, end};
}

Result<void> DiskWal::AwaitRoom(std::uint64_t payload_bytes, std::chrono::nanoseconds deadline) {
  const std::uint64_t frame_bytes = WalFrameBytes(payload_bytes);
  // By the clock, and by what was waited out: a simulated clock stands still meanwhile.
  std::chrono::nanoseconds patience = TimeLeft(deadline, clock_.Monotonic());
  for (;; patience = std::min(patience, TimeLeft(deadline, clock_.Monotonic()))) {
    Missing missing;
    {
      MutexLock lock(mutex_);
      MR_TRY(CheckUsable());
      missing = MakePlace(frame_bytes);
      if (missing == Missing::kNothing) return {};
      if (missing == Missing::kBudget) {
        if (patience <= std::chrono::nanoseconds(0)) return BudgetUsedUp();
        if (!room_.WaitFor(mutex_, patience)) patience = {};
        continue;
      }
    }
    auto supplied = SupplyMissing(missing, frame_bytes, patience);
    if (supplied) continue;
    if (supplied.error().code() != ErrorCode::kOutOfSpace) return supplied.error();
    if (patience <= std::chrono::nanoseconds(0)) return supplied.error();
    patience -= AwaitSpace(frame_bytes, std::min<std::chrono::nanoseconds>(patience, kRetryBuild));
  }
}

/// The disk is full, and nothing tells when it has room again: waits up to `pause` before the next look. A place that
/// appears ends the wait, another caller's failed look does not: two of them would wake each other for ever. Returns
/// what of the pause was spent.
std::chrono::nanoseconds DiskWal::AwaitSpace(std::uint64_t frame_bytes, std::chrono::nanoseconds pause) {
  MutexLock lock(mutex_);
  const auto until = DeadlineAfter(clock_.Monotonic(), pause);
  for (auto left = pause; left > left.zero(); left = std::min(left, TimeLeft(until, clock_.Monotonic()))) {
    if (!room_.WaitFor(mutex_, left)) break;
    if (!CheckUsable() || MakePlace(frame_bytes) == Missing::kNothing) return {};
  }
  return pause;
}

Result<void> DiskWal::SupplyMissing(Missing missing, std::uint64_t frame_bytes, std::chrono::nanoseconds patience) {
  if (missing != Missing::kFile) {
    MutexLock lock(mutex_);
    if (gate_.led()) {
      if (led_.WaitFor(mutex_, patience)) return {};
      return Error(ErrorCode::kTimeout, "the WAL's staging buffer was not written out in time");
    }
  }
  switch (missing) {
    case Missing::kUsableFile:
      return EnsureUsable();
    case Missing::kFile:
      return BuildUntilReady(frame_bytes + kWalBlockBytes);
    case Missing::kLargeArea:
      return MakeLargeArea(frame_bytes);
    default:
      break;
  }
  {
    MutexLock lock(mutex_);
    if (!gate_.TryLead()) return {};  // another thread leads: the caller looks again
  }
  return LeadGroup(Lead::kDrain);
}

Result<void> DiskWal::MakeLargeArea(std::uint64_t frame_bytes) {
  StagingRing* ring = nullptr;
  {
    MutexLock lock(mutex_);
    if (!gate_.TryLead()) return {};  // another thread leads: the caller looks again
    ring = ring_.get();
  }
  // Leadership keeps the area from being filled or dropped meanwhile. The old one goes first: two mappings of one file
  // with different lengths are more than some file systems bear.
  std::unique_ptr<StagingArea> old;
  {
    MutexLock lock(mutex_);
    if (ring->holds_large()) {
      EndLeadership();
      return {};
    }
    old = ring->ExchangeLarge(nullptr);
  }
  old.reset();
  auto area = ring->MakeLarge(frame_bytes);
  MutexLock lock(mutex_);
  EndLeadership();
  if (!area) return area.error();
  ring->ExchangeLarge(*std::move(area));
  return {};
}

}  // namespace millrace
