// Group commit: one leader writes and syncs what all appenders staged, then wakes them.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/aligned_bytes.h"
#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"
#include "wal/disk_wal.h"

namespace millrace {

namespace {

/// Under no lock; the leader alone.
Result<void> WriteGroup(GroupCommit::Group& group) {
  WalFile* before = nullptr;
  for (const GroupCommit::Piece& piece : group.pieces) {
    if (!piece.file->begun()) {
      MR_CHECK(piece.begin == piece.file->header().predecessor_end, piece.begin.value(), piece.file->name());
      // Its header says that all before was synced; so it must be.
      if (before != nullptr && before->dirty()) {
        MR_TRY(before->Sync());
        ++group.syncs;
      }
      MR_TRY(piece.file->BeginWriting());
      group.synced_to = std::max(group.synced_to, piece.file->header().predecessor_end);
    }
    MR_TRY(piece.file->Write(piece.begin, piece.bytes));
    for (const auto bytes : piece.bytes) group.written_bytes += bytes.size();
    before = piece.file.get();
  }
  if (!group.sync) return {};
  for (const GroupCommit::Piece& piece : group.pieces) {
    if (!piece.file->dirty()) continue;
    MR_TRY(piece.file->Sync());
    ++group.syncs;
  }
  return {};
}

/// What a file that failed was given and is not known to have kept.
struct TakenBack {
  AlignedBytes bytes;
  std::vector<WalFrameHeader> frames;
};

/// Reads [begin, end) of it; every frame must be whole.
Result<TakenBack> TakeBack(const WalFile& file, WalPosition begin, WalPosition end) {
  TakenBack taken;
  taken.bytes = AlignedBytes(static_cast<std::size_t>(end - begin));
  const std::span<std::byte> bytes = taken.bytes.bytes().first(static_cast<std::size_t>(end - begin));
  MR_ASSIGN_OR_RETURN(const std::size_t read, file.Read(begin, bytes));
  const auto damaged = [&](WalPosition at) {
    return Error(ErrorCode::kUnavailable, fmt::format("WAL file {}: what was written at byte {} cannot be read back",
                                                      file.name(), file.FileOffset(at)));
  };
  if (read != bytes.size()) return damaged(begin + static_cast<std::int64_t>(read));
  for (WalPosition at = begin; at < end;) {
    const auto rest = bytes.subspan(static_cast<std::size_t>(at - begin));
    const auto header = DecodeWalFrame(rest, file.generation(), at);
    if (header && (taken.frames.empty() || header->previous == taken.frames.back().position)) {
      taken.frames.push_back(*header);
      at = WalFrameEnd(*header);
      continue;
    }
    const WalPosition next = BlockUp(at);  // a group ended here, or there is damage
    const auto padding = rest.first(static_cast<std::size_t>(next - at));
    if (next == at || std::ranges::any_of(padding, [](std::byte byte) { return byte != std::byte{0}; })) {
      return damaged(at);
    }
    at = next;
  }
  return taken;
}

/// Gives the staged frames of `extent` another generation; returns where the frame before them begins, which is
/// `last_frame` if there are none. Under the log's mutex.
WalPosition Reframe(StagingRing& ring, WalExtent extent, std::uint64_t generation, WalPosition last_frame) {
  std::vector<WalFrameHeader> frames;
  WalPosition before = last_frame;
  std::array<std::byte, kWalFrameHeaderBytes> bytes;
  for (WalPosition at = extent.begin; at + static_cast<std::int64_t>(kWalFrameHeaderBytes) <= extent.end;) {
    ring.CopyOut(at, bytes);
    const auto header = DecodeWalFrameHeader(bytes);
    if (!header || header->position != at) {
      const WalPosition next = BlockUp(at);
      MR_CHECK(next != at, at.value());
      at = next;
      continue;
    }
    if (frames.empty()) before = header->previous;
    frames.push_back(*header);
    at = WalFrameEnd(*header);
  }
  // Last to first: a process that dies in between leaves old generations before new ones, as recovery expects.
  for (auto header = frames.rbegin(); header != frames.rend(); ++header) {
    header->generation = generation;
    EncodeWalFrameHeader(*header, bytes);
    ring.CopyIn(header->position, bytes);
    // Of no account if it fails: the frames go to a file right now.
    [[maybe_unused]] const auto published = ring.Publish(header->position, bytes.size());
  }
  return before;
}

}  // namespace

void DiskWal::EndLeadership() {
  gate_.Send(gate_.EndLead());
  led_.NotifyAll();
  if (idle_.asleep() && HasWork()) WakeSleeper();
}

void DiskWal::SetPoison(Error error) {
  if (!commit_.Poison(std::move(error))) return;
  gate_.Send(gate_.RouseAll());
  led_.NotifyAll();
  room_.NotifyAll();
  WakeSleeper();  // callbacks wait for it too
}

Result<void> DiskWal::AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds> deadline) {
  std::uint64_t counted_in = 0;
  for (;;) {
    if (ends_.announced() >= end) return {};
    GroupGate::Ticket ticket;
    bool lead = false;
    {
      MutexLock lock(mutex_);
      if (commit_.announced_end() >= end) return {};
      if (const Error* poison = commit_.poison()) return *poison;
      if (closed_) return Error(ErrorCode::kClosed, "the WAL is closed");
      MR_CHECK(end <= commit_.end(), end.value());
      lead = gate_.TryLead();
      const std::uint64_t group = gate_.GroupOf(!lead && end <= commit_.closed_end());
      if (counted_in != group) {
        gate_.Join(group);
        counted_in = group;
      }
      if (!lead) ticket = gate_.Enter(group);
    }
    if (lead) {
      AwaitJoiners(deadline);
      MR_TRY(LeadGroup(Lead::kSync));
      continue;
    }
    std::optional<std::chrono::nanoseconds> left;
    if (deadline) left = TimeLeft(*deadline, clock_.Monotonic());
    if (gate_.Wait(ticket, left)) continue;
    if (ends_.announced() >= end) return {};
    return Error(ErrorCode::kTimeout, "the sync of the WAL did not end in time");
  }
}

void DiskWal::AwaitJoiners(std::optional<std::chrono::nanoseconds> deadline) {
  std::chrono::nanoseconds patience;
  {
    MutexLock lock(mutex_);
    patience = commit_.JoinPatience();
  }
  if (deadline) patience = std::min(patience, TimeLeft(*deadline, clock_.Monotonic()));
  gate_.AwaitJoiners(clock_, patience);
}

DiskWal::Group DiskWal::CloseGroup(Lead lead) {
  PadToBlock();
  Group group = commit_.Close(chain_, *ring_);
  group.sync = lead == Lead::kSync || options_.sync.kind == SyncPolicy::Kind::kEach || gate_.joined_open() > 0 ||
               !completions_.empty();
  group.numbers.push_back(gate_.Close());
  return group;
}

Result<void> DiskWal::LeadGroup(Lead lead) {
  Group group;
  {
    MutexLock lock(mutex_);
    MR_CHECK(gate_.led());
    if (const Error* poison = commit_.poison()) {
      EndLeadership();
      return *poison;
    }
    if (!active_usable_) {
      EndLeadership();
      return {};
    }
    group = CloseGroup(lead);
  }
  const auto begun = clock_.Monotonic();
  auto written = WriteGroup(group);
  if (!written) written = Rescue(group, written.error());
  if (group.sync && written) {
    const auto took = clock_.Monotonic() - begun;
    MutexLock lock(mutex_);
    commit_.OnSyncTook(took);
  }
  FinishGroup(group, written);
  return written;
}

void DiskWal::FinishGroup(const Group& group, const Result<void>& result) {
  bool moved = false;
  {
    MutexLock lock(mutex_);
    ++stats_.groups;
    stats_.written_bytes += group.written_bytes;
    stats_.syncs += group.syncs;
    if (result) {
      moved = commit_.Finish(group);
      if (ring_->holds_large() && ring_->large_end() <= group.end) ring_->EndLarge();
      if (group.sync) idle_.OnSynced(clock_.Monotonic());
    } else if (!group.stranded) {
      SetPoison(result.error().WithRetryable(false));
    }
  }
  // The listener shows bytes to readers: it must know that they are durable before their appender does.
  const WalPosition durable = ends_.durable();
  if (moved && listener_) {
    CheckNoMutexHeld();
    listener_(durable);
  }
  GroupGate::Wakes wakes;
  {
    MutexLock lock(mutex_);
    MR_CHECK(gate_.led() && durable >= commit_.announced_end(), durable.value(), commit_.announced_end().value());
    commit_.Announce(durable);
    const Error* poison = commit_.poison();
    completions_.Release(durable, poison ? poison : !result ? &result.error() : nullptr);
    for (const std::uint64_t number : group.numbers) wakes += gate_.Complete(number);
    wakes += gate_.EndLead();
    led_.NotifyAll();
    room_.NotifyAll();
    if (idle_.asleep() && HasWork()) WakeSleeper();
  }
  gate_.Send(wakes);
  completions_.RunReleased();
}

Result<void> DiskWal::Rescue(Group& group, const Error& error) {
  std::uint64_t needed = 0;
  std::shared_ptr<WalFile> failed;
  WalPosition begin, written_end;
  {
    MutexLock lock(mutex_);
    begin = commit_.durable_end();
    written_end = commit_.written_end();
    needed = ring_->size() + AlignUp(WalFrameBytes(options_.frame_bytes_max), kWalBlockBytes) + kWalBlockBytes +
             static_cast<std::uint64_t>(written_end - begin);
    if (written_end > begin) {
      // A file is begun only when all before it is synced: what is not lies in one.
      failed = chain_.SoleHolderOf({begin, written_end});
      if (!failed) return error;
    }
  }
  // Under None and Interval the failed file was given more than is durable. What still lies in memory goes elsewhere,
  // what does not has to be read back whole.
  TakenBack taken;
  if (failed) {
    auto read = TakeBack(*failed, begin, written_end);
    if (!read) return error;
    taken = *std::move(read);
  }
  if (auto built = BuildUntilReady(needed); !built) {
    if (built.error().code() != ErrorCode::kOutOfSpace) return error;
    group.stranded = true;  // the next leader tries again
    return built.error().WithContext("after a failure of " + std::string(error.message()));
  }
  std::vector<std::shared_ptr<WalFile>> dropped;
  std::shared_ptr<WalFile> fresh_file;
  {
    MutexLock lock(mutex_);
    const auto fresh = chain_.TakeReady(needed);
    if (!fresh) return error;
    PadToBlock();
    const WalPosition end = commit_.end();
    if (end - begin > static_cast<std::int64_t>(fresh->disk->capacity - kWalBlockBytes)) return error;
    // The open group goes along: its frames are in the ring and named by the old generation.
    group.numbers.push_back(gate_.Close());
    WalPosition before = Reframe(*ring_, {written_end, end}, fresh->generation, commit_.last_frame());
    if (!taken.frames.empty()) before = taken.frames.front().previous;
    dropped = chain_.Replace(*fresh, {.base = begin, .at = begin, .last_frame = before});
    fresh_file = chain_.active();
    commit_.MoveTo(fresh_file, *ring_, group);
  }
  Result<void> written;
  if (failed) {
    for (WalFrameHeader& header : taken.frames) {
      header.generation = fresh_file->generation();
      const auto place = taken.bytes.bytes().subspan(static_cast<std::size_t>(header.position - begin));
      EncodeWalFrameHeader(header, place.first<kWalFrameHeaderBytes>());
    }
    written = fresh_file->BeginWriting(taken.bytes.bytes().first(static_cast<std::size_t>(written_end - begin)));
  }
  if (written) written = WriteGroup(group);
  for (const auto& file : dropped) {
    if (written && (file->begun() || file->failed())) DropFailed(file);
  }
  return written;
}

void DiskWal::OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) {
  completions_.Add(end, std::move(done));
  {
    MutexLock lock(mutex_);
    const WalPosition announced = commit_.announced_end();
    const Error* poison = commit_.poison();
    const Error closed(ErrorCode::kClosed, "the WAL is closed");
    if (announced < end && !poison && !closed_) {
      if (!gate_.led()) WakeSleeper();
      return;
    }
    completions_.Release(announced, poison ? poison : closed_ ? &closed : nullptr);
  }
  completions_.RunReleased();
}

}  // namespace millrace
