// Group commit: one leader writes and syncs what everybody staged, then wakes them all.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bugs.h"
#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"
#include "wal/disk_wal.h"

namespace millrace {

namespace {

/// A leader waits for callers on their way at most this part of a sync.
constexpr double kJoinWaitOfSync = 0.8;

}  // namespace

void DiskWal::EndLeadership() {
  gate_.Send(gate_.EndLead());
  led_.NotifyAll();
  if (idle_.asleep() && HasWork()) WakeSleeper();
}

void DiskWal::SetPoison(Error error) {
  if (poison_) return;
  poison_ = std::move(error);
  gate_.Send(gate_.RouseAll());
  led_.NotifyAll();
  room_.NotifyAll();
  WakeSleeper();  // callbacks wait for it too
}

Result<void> DiskWal::AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds> deadline) {
  std::uint64_t counted_in = 0;
  for (;;) {
    if (announced_end_.load(std::memory_order_acquire) >= end.value()) return {};
    GroupGate::Ticket ticket;
    bool lead = false;
    {
      MutexLock lock(mutex_);
      if (announced_end_.load(std::memory_order_relaxed) >= end.value()) return {};
      if (poison_) return *poison_;
      if (closed_) return Error(ErrorCode::kClosed, "the WAL is closed");
      MR_CHECK(end.value() <= end_.load(std::memory_order_relaxed), end.value());
      lead = gate_.TryLead();
      const std::uint64_t group = gate_.GroupOf(!lead && end <= closed_end_);
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
    if (announced_end_.load(std::memory_order_acquire) >= end.value()) return {};
    return Error(ErrorCode::kTimeout, "the sync of the WAL did not end in time");
  }
}

void DiskWal::AwaitJoiners(std::optional<std::chrono::nanoseconds> deadline) {
  std::chrono::nanoseconds patience;
  {
    MutexLock lock(mutex_);
    patience = std::chrono::duration_cast<std::chrono::nanoseconds>(sync_time_ * kJoinWaitOfSync);
  }
  if (deadline) patience = std::min(patience, TimeLeft(*deadline, clock_.Monotonic()));
  gate_.AwaitJoiners(clock_, patience);
}

std::vector<DiskWal::Piece> DiskWal::PiecesOf(WalPosition begin, WalPosition end) {
  std::vector<Piece> pieces;
  const WalPosition durable(durable_end_.load(std::memory_order_relaxed));
  const auto& files = chain_.files();
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i];
    const WalPosition file_end = i + 1 < files.size() ? files[i + 1]->base() : end;
    // A file whose bytes are all synced is out of this, unless it has not even begun.
    if (file->begun() && file_end <= durable) continue;
    const WalPosition from = std::max(begin, file->base()), to = std::min(end, file_end);
    pieces.push_back(PieceOf(file, from, std::max(from, to)));
  }
  return pieces;
}

DiskWal::Piece DiskWal::PieceOf(std::shared_ptr<WalFile> file, WalPosition begin, WalPosition end) {
  Piece piece{.file = std::move(file), .begin = begin, .bytes = {}};
  for (WalPosition at = begin; at < end;) {
    piece.bytes.push_back(ring_->Contiguous(at, static_cast<std::uint64_t>(end - at)));
    at += static_cast<std::int64_t>(piece.bytes.back().size());
  }
  return piece;
}

DiskWal::Group DiskWal::CloseGroup(Lead lead) {
  PadToBlock();
  Group group;
  group.begin = written_end_;
  group.end = WalPosition(end_.load(std::memory_order_relaxed));
  group.pieces = PiecesOf(group.begin, group.end);
  group.sync = lead == Lead::kSync || options_.sync.kind == SyncPolicy::Kind::kEach || gate_.joined_open() > 0 ||
               !completions_.empty();
  group.numbers.push_back(gate_.Close());
  closed_end_ = group.end;
  return group;
}

Result<void> DiskWal::LeadGroup(Lead lead) {
  Group group;
  {
    MutexLock lock(mutex_);
    if (poison_) {
      EndLeadership();
      return *poison_;
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
    sync_time_ = sync_time_.count() == 0 ? took : sync_time_ - sync_time_ / 8 + took / 8;
  }
  FinishGroup(group, written);
  return written;
}

Result<void> DiskWal::WriteGroup(Group& group) {
  WalFile* before = nullptr;
  for (const Piece& piece : group.pieces) {
    if (!piece.file->begun()) {
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
  for (const Piece& piece : group.pieces) {
    if (!piece.file->dirty()) continue;
    MR_TRY(piece.file->Sync());
    ++group.syncs;
  }
  return {};
}

void DiskWal::FinishGroup(const Group& group, const Result<void>& result) {
  bool moved = false;
  {
    MutexLock lock(mutex_);
    ++stats_.groups;
    stats_.written_bytes += group.written_bytes;
    stats_.syncs += group.syncs;
    if (result) {
      written_end_ = group.end;
      if (ring_->holds_large() && ring_->large_end() <= group.end) ring_->EndLarge();
      if (group.sync) idle_.OnSynced(clock_.Monotonic());
      const WalPosition synced_to = group.sync ? group.end : group.synced_to;
      if (synced_to.value() > durable_end_.load(std::memory_order_relaxed)) {
        moved = true;
        const std::int64_t end =
            Planted(Bug::kWalAckOutOfOrder) ? end_.load(std::memory_order_relaxed) : synced_to.value();
        durable_end_.store(end, std::memory_order_release);
      }
    } else if (!group.stranded) {
      SetPoison(result.error().WithRetryable(false));
    }
  }
  // Before anybody learns that his bytes are durable, whoever shows them to readers must know.
  const WalPosition durable(durable_end_.load(std::memory_order_relaxed));
  if (moved && listener_) {
    CheckNoMutexHeld();
    listener_(durable);
  }
  GroupGate::Wakes wakes;
  {
    MutexLock lock(mutex_);
    announced_end_.store(durable.value(), std::memory_order_release);
    completions_.Release(durable, poison_ ? &*poison_ : !result ? &result.error() : nullptr);
    for (const std::uint64_t number : group.numbers) wakes += gate_.Complete(number);
    wakes += gate_.EndLead();
    led_.NotifyAll();
    room_.NotifyAll();
    if (idle_.asleep() && HasWork()) WakeSleeper();
  }
  gate_.Send(wakes);
  completions_.RunReleased();
}

Result<DiskWal::TakenBack> DiskWal::TakeBack(const WalFile& file, WalPosition begin, WalPosition end) {
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

Result<void> DiskWal::Rescue(Group& group, const Error& error) {
  std::uint64_t needed = 0;
  std::shared_ptr<WalFile> failed;
  WalPosition begin, written_end;
  {
    MutexLock lock(mutex_);
    begin = WalPosition(durable_end_.load(std::memory_order_relaxed));
    written_end = written_end_;
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
    group.stranded = true;  // whoever leads next tries again
    return built.error().WithContext("after a failure of " + std::string(error.message()));
  }
  std::vector<std::shared_ptr<WalFile>> dropped;
  std::shared_ptr<WalFile> fresh_file;
  {
    MutexLock lock(mutex_);
    const auto fresh = chain_.TakeReady(needed);
    if (!fresh) return error;
    PadToBlock();
    const WalPosition end(end_.load(std::memory_order_relaxed));
    if (end - begin > static_cast<std::int64_t>(fresh->disk->capacity - kWalBlockBytes)) return error;
    // The open group goes along: its frames are in the ring and named by the old generation.
    group.numbers.push_back(gate_.Close());
    group.end = closed_end_ = end;
    group.sync = true;
    WalPosition before = Reframe(written_end, end, fresh->generation);
    if (!taken.frames.empty()) before = taken.frames.front().previous;
    dropped = chain_.Replace(*fresh, {.base = begin, .at = begin, .last_frame = before});
    fresh_file = chain_.active();
    group.pieces.clear();
    group.pieces.push_back(PieceOf(fresh_file, written_end, end));
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

WalPosition DiskWal::Reframe(WalPosition begin, WalPosition end, std::uint64_t generation) {
  std::vector<WalFrameHeader> frames;
  WalPosition before = last_frame_;
  std::array<std::byte, kWalFrameHeaderBytes> bytes;
  for (WalPosition at = begin; at + static_cast<std::int64_t>(kWalFrameHeaderBytes) <= end;) {
    ring_->CopyOut(at, bytes);
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
    ring_->CopyIn(header->position, bytes);
    // Of no account if it fails: the frames go to a file right now.
    [[maybe_unused]] const auto published = ring_->Publish(header->position, bytes.size());
  }
  return before;
}

void DiskWal::OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) {
  completions_.Add(end, std::move(done));
  {
    MutexLock lock(mutex_);
    const WalPosition announced(announced_end_.load(std::memory_order_relaxed));
    const Error closed(ErrorCode::kClosed, "the WAL is closed");
    if (announced < end && !poison_ && !closed_) {
      if (!gate_.led()) WakeSleeper();
      return;
    }
    const Error* failure = poison_ ? &*poison_ : closed_ ? &closed : nullptr;
    completions_.Release(announced, failure);
  }
  completions_.RunReleased();
}

}  // namespace millrace
