#include "wal/group_commit.h"

#include <algorithm>

#include "base/bugs.h"
#include "base/check.h"

namespace millrace {

namespace {

/// A leader waits for callers on their way at most this part of a sync.
constexpr double kJoinWaitOfSync = 0.8;

using Piece = GroupCommit::Piece;

/// [begin, end) of the ring, for `file`.
Piece PieceOf(std::shared_ptr<WalFile> file, StagingRing& ring, WalExtent extent) {
  Piece piece{.file = std::move(file), .begin = extent.begin, .bytes = {}};
  for (WalPosition at = extent.begin; at < extent.end;) {
    piece.bytes.push_back(ring.Contiguous(at, static_cast<std::uint64_t>(extent.end - at)));
    MR_CHECK(!piece.bytes.back().empty(), at.value(), extent.end.value());
    at += static_cast<std::int64_t>(piece.bytes.back().size());
  }
  return piece;
}

/// What of `extent` goes to which file; and the files before it that hold something not yet durable.
std::vector<Piece> PiecesOf(const FileChain& chain, StagingRing& ring, WalExtent extent, WalPosition durable) {
  std::vector<Piece> pieces;
  const auto& files = chain.files();
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i];
    const WalPosition file_end = i + 1 < files.size() ? files[i + 1]->base() : extent.end;
    // A file whose bytes are all synced is out of this, unless it has not even begun.
    if (file->begun() && file_end <= durable) continue;
    const WalPosition from = std::max(extent.begin, file->base()), to = std::min(extent.end, file_end);
    pieces.push_back(PieceOf(file, ring, {from, std::max(from, to)}));
  }
  return pieces;
}

}  // namespace

void GroupCommit::StartAt(const Start& start) {
  MR_CHECK(start.end >= end() && !HasUnwritten(), start.end.value(), end().value(), written_end_.value());
  for (auto* position : {&ends_.durable_, &ends_.end_, &ends_.announced_}) position->store(start.end.value());
  written_end_ = closed_end_ = payload_end_ = start.end;
  last_frame_ = start.last_frame;
  proved_ = start.proved;
}

void GroupCommit::OnStaged(const WalFrameHeader& header) {
  const WalPosition end = WalFrameEnd(header);
  MR_DCHECK(header.position == this->end() && last_frame_ < header.position, header.position.value(),
            this->end().value(), last_frame_.value());
  last_frame_ = header.position;
  proved_ = header.synced_to;
  if (header.kind == WalFrameKind::kPayload) payload_end_ = end;
  ends_.end_.store(end.value(), std::memory_order_release);
}

GroupCommit::Group GroupCommit::Close(const FileChain& chain, StagingRing& ring) {
  Group group;
  group.begin = written_end_;
  group.end = end();
  MR_CHECK(group.end == BlockUp(group.end), group.end.value());
  MR_CHECK(written_end_ <= closed_end_ && closed_end_ <= group.end, written_end_.value(), closed_end_.value(),
           group.end.value());
  MR_DCHECK(announced_end() <= durable_end() && durable_end() <= written_end_, announced_end().value(),
            durable_end().value(), written_end_.value());
  MR_CHECK(payload_end_ <= group.end, payload_end_.value(), group.end.value());
  group.pieces = PiecesOf(chain, ring, {group.begin, group.end}, durable_end());
  closed_end_ = group.end;
  return group;
}

void GroupCommit::MoveTo(std::shared_ptr<WalFile> fresh, StagingRing& ring, Group& group) {
  MR_CHECK(group.begin == written_end_ && end() == BlockUp(end()), group.begin.value(), written_end_.value(),
           end().value());
  group.end = closed_end_ = end();
  group.sync = true;
  group.pieces.clear();
  group.pieces.push_back(PieceOf(std::move(fresh), ring, {written_end_, group.end}));
}

bool GroupCommit::Finish(const Group& group) {
  MR_CHECK(group.begin == written_end_ && group.end == closed_end_ && group.synced_to <= group.end, group.begin.value(),
           written_end_.value(), group.end.value(), closed_end_.value(), group.synced_to.value());
  written_end_ = group.end;
  const WalPosition synced_to = group.sync ? group.end : group.synced_to;
  if (synced_to <= durable_end()) return false;
  const WalPosition durable = Planted(Bug::kWalAckOutOfOrder) ? end() : synced_to;
  ends_.durable_.store(durable.value(), std::memory_order_release);
  MR_DCHECK(durable_end() <= written_end_, durable_end().value(), written_end_.value());
  return true;
}

void GroupCommit::OnSyncTook(std::chrono::nanoseconds took) {
  sync_time_ = sync_time_.count() == 0 ? took : sync_time_ - sync_time_ / 8 + took / 8;
}

std::chrono::nanoseconds GroupCommit::JoinPatience() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(sync_time_ * kJoinWaitOfSync);
}

bool GroupCommit::Poison(Error error) {
  if (poison_) return false;
  poison_ = std::move(error);
  return true;
}

}  // namespace millrace
