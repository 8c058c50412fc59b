#include "cursor/position_log.h"

#include <algorithm>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"

namespace millrace {
namespace {

/// A file has room for this many snapshots, so that writing them stays a small part of the whole.
constexpr std::uint64_t kSnapshotsPerFile = 16;
/// A leader waits for callers on their way at most this part of a sync.
constexpr double kJoinWaitOfSync = 0.8;

std::uint64_t BlocksUp(std::uint64_t bytes) {
  return (bytes + kPositionBlockBytes - 1) / kPositionBlockBytes * kPositionBlockBytes;
}

std::size_t FrameBytesOf(std::span<const PositionEntry> entries) {
  std::size_t bytes = 0;
  for (const PositionEntry& entry : entries) bytes += PositionEntryBytes(entry);
  return PositionFrameBytes(bytes);
}

}  // namespace

/// Everything below is guarded by the log's mutex, `entries` until the group is closed.
struct PositionLog::Group {
  explicit Group(std::uint64_t number) : number(number) {}
  const std::uint64_t number;  // as the gate counts
  std::vector<PositionEntry> entries;
  bool done = false;
  std::optional<Error> error;
};

Result<std::unique_ptr<PositionLog>> PositionLog::Open(PositionLogOptions options, FileSystem& file_system,
                                                       Clock& clock) {
  MR_ASSIGN_OR_RETURN(auto recovered, RecoverPositions(file_system, options.directory));
  return std::unique_ptr<PositionLog>(new PositionLog(std::move(options), file_system, clock, std::move(recovered)));
}

PositionLog::PositionLog(PositionLogOptions options, FileSystem& file_system, Clock& clock,
                         RecoveredPositions recovered)
    : options_(std::move(options)),
      file_system_(file_system),
      clock_(clock),
      present_(recovered.present),
      newest_(recovered.newest),
      generation_(recovered.generation),
      table_(std::move(recovered.table)),
      open_(std::make_shared<Group>(gate_.open_group())),
      next_id_(table_.next_id()) {}

PositionLog::~PositionLog() { Close(); }

Result<PositionLog::Ticket> PositionLog::Stage(PositionEntry entry) {
  if (closed_) return Error(ErrorCode::kClosed, "the position log is closed");
  auto& entries = open_->entries;
  const auto* move = std::get_if<PositionMove>(&entry);
  // A cursor that moves again before the group is written: the latest place counts.
  auto* last = entries.empty() ? nullptr : std::get_if<PositionMove>(&entries.back());
  if (move != nullptr && last != nullptr && last->id == move->id) {
    if (Planted(Bug::kPositionOutOfOrder)) return open_;
    last->position = move->position;
  } else {
    entries.push_back(std::move(entry));
  }
  return open_;
}

Result<void> PositionLog::CheckPresent(CursorId id) const {
  if (!table_.Position(id) || removing_.contains(id)) return Error(ErrorCode::kNotFound, "the cursor was deleted");
  return {};
}

Result<PositionLog::Defined> PositionLog::Define(CursorKey key, Offset position) {
  MutexLock lock(mutex_);
  const CursorId id = next_id_;
  MR_ASSIGN_OR_RETURN(Ticket ticket, Stage(PositionDefine{id, std::move(key), position}));
  next_id_ = CursorId(id.value() + 1);
  return Defined{id, std::move(ticket)};
}

Result<PositionLog::Ticket> PositionLog::Move(CursorId id, Offset position) {
  MutexLock lock(mutex_);
  MR_TRY(CheckPresent(id));
  return Stage(PositionMove{id, position});
}

Result<PositionLog::Ticket> PositionLog::MoveUnlessFailed(CursorId id, Offset position, std::uint64_t failures) {
  MutexLock lock(mutex_);
  if (failures_.load(std::memory_order_relaxed) != failures) return Ticket();
  MR_TRY(CheckPresent(id));
  return Stage(PositionMove{id, position});
}

Result<PositionLog::Ticket> PositionLog::Remove(CursorId id) {
  MutexLock lock(mutex_);
  MR_TRY(CheckPresent(id));
  MR_ASSIGN_OR_RETURN(Ticket ticket, Stage(PositionRemove{id}));
  removing_.insert(id);
  return ticket;
}

Result<void> PositionLog::Await(const Ticket& ticket) {
  for (bool joined = false;; joined = true) {
    GroupGate::Ticket wait;
    bool lead = false;
    std::chrono::nanoseconds patience{0};
    {
      MutexLock lock(mutex_);
      if (ticket->done) {
        if (ticket->error) return *ticket->error;
        return {};
      }
      if (!joined) gate_.Join(ticket->number);
      lead = gate_.TryLead();
      if (!lead) wait = gate_.Enter(ticket->number);
      patience = std::chrono::duration_cast<std::chrono::nanoseconds>(sync_time_ * kJoinWaitOfSync);
    }
    if (lead) {
      gate_.AwaitJoiners(clock_, patience);
      LeadGroup();
    } else {
      gate_.Wait(wait, std::nullopt);
    }
  }
}

void PositionLog::LeadGroup() {
  Ticket group;
  CursorId next_id;
  {
    MutexLock lock(mutex_);
    group = std::exchange(open_, nullptr);
    MR_CHECK(gate_.Close() == group->number, group->number);
    open_ = std::make_shared<Group>(gate_.open_group());
    next_id = next_id_;
  }
  const auto begun = clock_.Monotonic();
  const auto written = group->entries.empty() ? Result<void>() : WriteGroup(group->entries, next_id);
  if (written) {
    const auto took = clock_.Monotonic() - begun;
    MutexLock lock(mutex_);
    sync_time_ = sync_time_.count() == 0 ? took : sync_time_ - sync_time_ / 8 + took / 8;
  }
  Finish(group, written);
}

/// The leader's last act. A failure takes along whatever was staged meanwhile: it stands on what did not happen.
void PositionLog::Finish(const Ticket& group, const Result<void>& written) {
  GroupGate::Wakes wakes;
  {
    MutexLock lock(mutex_);
    const auto complete = [&](Group& finished) MR_REQUIRES(mutex_) {
      finished.done = true;
      if (!written) finished.error = written.error();
      wakes += gate_.Complete(finished.number);
    };
    if (written)
      for (const PositionEntry& entry : group->entries) {
        MR_CHECK(table_.Apply(entry).has_value(), group->number);
        if (const auto* remove = std::get_if<PositionRemove>(&entry)) removing_.erase(remove->id);
      }
    complete(*group);
    if (!written) {
      failures_.fetch_add(1, std::memory_order_release);
      removing_.clear();
      const Ticket staged = std::exchange(open_, nullptr);
      MR_CHECK(gate_.Close() == staged->number, staged->number);
      complete(*staged);
      open_ = std::make_shared<Group>(gate_.open_group());
    }
    wakes += gate_.EndLead();
    idle_.NotifyAll();
  }
  gate_.Send(wakes);
}

std::span<std::byte> PositionLog::Encode(const PositionFrameHeader& header, std::span<const PositionEntry> entries) {
  const std::size_t bytes = FrameBytesOf(entries);
  if (buffer_.size() < bytes) buffer_ = AlignedBytes(bytes);
  const auto frame = buffer_.bytes().first(bytes);
  EncodePositionFrame(header, entries, frame);
  return frame;
}

Result<void> PositionLog::WriteGroup(const std::vector<PositionEntry>& entries, CursorId next_id) {
  const std::size_t bytes = FrameBytesOf(entries);
  if (!live_ || files_[*newest_]->capacity() - end_ < bytes) MR_TRY(Switch(bytes));
  PositionFile& file = *files_[*newest_];
  const PositionFrameHeader header{.kind = PositionFrameKind::kUpdate,
                                   .generation = generation_,
                                   .sequence = end_ / kPositionBlockBytes,
                                   .next_id = next_id};
  auto written = file.WriteSynced(end_, Encode(header, entries));
  if (!written) {
    // The frame may be on the disk all the same: a fresh snapshot says that it does not count. Should that fail too,
    // the next change tries again.
    (void)Switch(0);
    return written;
  }
  end_ += bytes;
  MutexLock lock(mutex_);
  ++stats_.syncs;
  stats_.written_bytes += bytes;
  return {};
}

/// What is durable goes to the other file, which is live from then on.
Result<void> PositionLog::Switch(std::size_t frame_bytes) {
  // Whatever becomes of this, the old file takes no update any more: the new one may say that it is over.
  live_ = false;
  ++generation_;
  std::vector<PositionEntry> entries;
  PositionFrameHeader header{.kind = PositionFrameKind::kSnapshot, .generation = generation_};
  {
    MutexLock lock(mutex_);
    for (PositionDefine& define : table_.All()) entries.emplace_back(std::move(define));
    header.next_id = next_id_;
  }
  const auto frame = Encode(header, entries);
  const std::size_t slot = newest_ ? 1 - *newest_ : 0;
  const std::uint64_t capacity = std::max(
      {options_.file_bytes_min, BlocksUp(frame.size() * kSnapshotsPerFile), BlocksUp(frame.size() + 4 * frame_bytes)});
  MR_TRY(WriteSnapshot(slot, frame, capacity));
  newest_ = slot;
  live_ = true;
  end_ = frame.size();
  MutexLock lock(mutex_);
  ++stats_.switches;
  ++stats_.syncs;
  stats_.written_bytes += frame.size();
  return {};
}

Result<void> PositionLog::WriteSnapshot(std::size_t slot, std::span<const std::byte> frame, std::uint64_t capacity) {
  auto& file = files_[slot];
  const std::filesystem::path path = options_.directory / kPositionFileNames[slot];
  if (!file && present_[slot]) {
    // The process that made it may have died, or failed, before its name was durable.
    MR_TRY(file_system_.SyncDirectory(options_.directory));
    if (auto opened = PositionFile::Open(file_system_, path)) file = *std::move(opened);
  }
  if (file && !file->failed() && file->capacity() >= capacity / 2 && file->capacity() >= frame.size() * 2)
    return file->WriteSynced(0, frame);
  file.reset();
  MR_TRY(file_system_.CreateDirectories(options_.directory));
  MR_ASSIGN_OR_RETURN(file, PositionFile::Make(file_system_, path, capacity, frame));
  present_[slot] = true;
  return {};
}

std::optional<CursorId> PositionLog::Find(const CursorKey& key) const {
  MutexLock lock(mutex_);
  return table_.Find(key);
}

std::optional<Offset> PositionLog::Durable(CursorId id) const {
  MutexLock lock(mutex_);
  return table_.Position(id);
}

std::vector<PositionDefine> PositionLog::Of(const PartitionKey& partition) const {
  MutexLock lock(mutex_);
  return table_.Of(partition);
}

std::vector<PositionDefine> PositionLog::All() const {
  MutexLock lock(mutex_);
  return table_.All();
}

std::optional<Offset> PositionLog::Lowest(const PartitionKey& partition) const {
  MutexLock lock(mutex_);
  return table_.Lowest(partition);
}

PositionLogStats PositionLog::Stats() const {
  MutexLock lock(mutex_);
  return stats_;
}

void PositionLog::Close() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      closed_ = true;
      while (gate_.led()) idle_.Wait(mutex_);
      if (open_->entries.empty()) return;
      MR_CHECK(gate_.TryLead());
    }
    LeadGroup();
  }
}

}  // namespace millrace
