#include "wal/disk_wal.h"

#include <algorithm>
#include <utility>

#include "base/bugs.h"
#include "base/check.h"
#include "base/try.h"

namespace millrace {

namespace {

constexpr std::uint64_t kBudgetMin = 16 << 10;
constexpr std::uint64_t kFileBytesMax = 64 << 20;
constexpr std::uint64_t kStagingMin = 16 << 10;
constexpr std::uint64_t kFrameMax = 1 << 30;

Result<void> CheckOptions(const WalOptions& options) {
  if (options.directory.empty()) return Error(ErrorCode::kInvalidArgument, "the WAL needs a directory");
  if (options.wal_bytes_max < kBudgetMin) return Error(ErrorCode::kInvalidArgument, "wal_bytes_max is too small");
  if (options.frame_bytes_max == 0 || options.frame_bytes_max > kFrameMax) {
    return Error(ErrorCode::kInvalidArgument, "frame_bytes_max is out of bounds (1 to 1 GiB)");
  }
  if (options.staging_bytes < kStagingMin || options.staging_bytes % kWalBlockBytes != 0) {
    return Error(ErrorCode::kInvalidArgument, "staging_bytes must be a multiple of 4,096, at least 16 KiB");
  }
  return {};
}

std::uint64_t FileBytes(const WalOptions& options) {
  const std::uint64_t bytes =
      options.file_bytes != 0 ? options.file_bytes : std::min(options.wal_bytes_max / 8, kFileBytesMax);
  // The least: a header, a block of payloads, a block for the mark behind them.
  return std::max(bytes / kWalBlockBytes * kWalBlockBytes, 3 * kWalBlockBytes) - kWalFileHeaderBytes;
}

}  // namespace

Result<std::unique_ptr<DiskWal>> DiskWal::Open(const WalOptions& options, FileSystem& file_system, Clock& clock,
                                               WalReplay& replay) {
  auto wal = std::make_unique<DiskWal>(options, file_system, clock);
  MR_TRY(wal->Recover(replay));
  return wal;
}

DiskWal::DiskWal(const WalOptions& options, FileSystem& file_system, Clock& clock)
    : options_(options),
      file_system_(file_system),
      clock_(clock),
      factory_(file_system, options.directory),
      commit_(ends_),
      chain_({.bytes_max = options.wal_bytes_max, .file_bytes_max = FileBytes(options)}),
      idle_(options.sync) {}

Result<void> DiskWal::Recover(WalReplay& replay) {
  MR_CHECK(ends_.end() == WalPosition(), ends_.end().value());  // once
  MR_TRY(CheckOptions(options_));
  MR_TRY(file_system_.CreateDirectories(options_.directory));
  WalRecovery recovery(
      file_system_, options_.directory, [this](const std::string& name) { return factory_.OpenExisting(name); },
      replay);
  MR_ASSIGN_OR_RETURN(RecoveredLog log, recovery.Run());
  // Believed or not, it is out of date from here on.
  if (log.has_clean_close) MR_TRY(RemoveWalCleanClose(file_system_, options_.directory));
  report_ = std::move(log.report);
  may_continue_ = log.may_continue && !log.files.empty();
  {
    MutexLock lock(mutex_);
    chain_.ContinueAt(log.next_generation, log.next_slot);
    for (const auto& disk : log.unfinished) MR_TRY(factory_.Remove(*disk));
    for (const auto& disk : log.left_aside) {
      if (WalFileFactory::Reserve(*disk, chain_.TakeGeneration())) {
        chain_.AddRework(disk);
      } else {  // never to be used again: its handle would take what no name leads to
        MR_TRY(factory_.Remove(*disk));
      }
    }
    // Whatever was made just before a crash is listed; from here on it is listed for good.
    MR_TRY(file_system_.SyncDirectory(options_.directory));
    for (const auto& disk : log.reusable) chain_.AddRework(disk);
    for (RecoveredFile& recovered : log.files) {
      auto file = std::make_shared<WalFile>(std::move(recovered.disk), recovered.header);
      file->MarkBegun();
      file->payload_end = recovered.payload_end;
      chain_.AddRecovered(std::move(file));
    }
    begin_.store((chain_.files().empty() ? log.end : chain_.begin()).value());
    // A process that died left no mark; this one does.
    commit_.StartAt({.end = log.end, .last_frame = log.last_frame, .proved = log.proven_end});
  }
  if (!log.carried.empty()) {
    // They are acknowledged (kOs) and lie in no file: nothing goes on before they do.
    MR_TRY(BeginFirstFile(log.end, log.carried.front().header.previous, log.carried));
    MutexLock lock(mutex_);
    active_usable_ = false;  // until there is a ring
    may_continue_ = true;
  }
  auto usable = EnsureUsable();
  // On a full disk the log opens and reads; appends try again.
  if (!usable && usable.error().code() != ErrorCode::kOutOfSpace) return usable.error();
  MutexLock lock(mutex_);
  recovered_ = true;
  return {};
}

WalPosition DiskWal::begin() const { return WalPosition(begin_.load(std::memory_order_acquire)); }
WalPosition DiskWal::durable_end() const { return ends_.durable(); }
WalPosition DiskWal::end() const { return ends_.end(); }

void DiskWal::SetDurableListener(std::function<void(WalPosition durable_end)> listener) {
  MR_CHECK(!listener_ && listener);
  listener_ = std::move(listener);
}

WalStats DiskWal::Stats() const {
  MutexLock lock(mutex_);
  WalStats stats = stats_;
  stats.files = chain_.files().size();
  stats.pool_files = chain_.pool_files();
  stats.file_bytes = chain_.HeldBytes();
  stats.read_bytes = read_bytes_.value();
  const bool mapped = ring_ && ring_->mapped();
  stats.io_path = !mapped ? "buffered" : factory_.direct() ? "staging ring, direct I/O" : "staging ring, buffered";
  if (!mapped && factory_.direct()) stats.io_path = "staging file, direct I/O";
  stats.io_path.append("; plans by ").append(file_system_.io_back_end());
  return stats;
}

Result<void> DiskWal::Close() {
  {
    MutexLock lock(mutex_);
    if (closing_) return Error(ErrorCode::kClosed, "the WAL is closed");
    closing_ = true;
    if (!recovered_) return {};  // opening failed: the next one finds what this one found
    idle_.Call();
    work_.NotifyAll();
    room_.NotifyAll();
    while (!gate_.TryLead()) led_.Wait(mutex_);
  }
  auto closed = LeadGroup(Lead::kSync);
  bool mark = false;
  {
    MutexLock lock(mutex_);
    while (!gate_.TryLead()) led_.Wait(mutex_);
    mark = closed && active_usable_ && commit_.MarkNeeded() && StageMark();
    if (!mark) EndLeadership();
  }
  if (mark) closed = LeadGroup(Lead::kSync);
  {
    MutexLock lock(mutex_);
    MR_CHECK(!closed_ && closing_);
    closed_ = true;
    const Error error(ErrorCode::kClosed, "the WAL is closed");
    completions_.Release(durable_end(), commit_.poison() ? commit_.poison() : &error);
    room_.NotifyAll();
    led_.NotifyAll();
    gate_.Send(gate_.RouseAll());
  }
  completions_.RunAll();
  return closed;
}

std::optional<WalCleanClose> DiskWal::CleanState() const {
  const WalPosition end = commit_.end(), last_frame = commit_.last_frame();
  if (commit_.poison() || !active_usable_ || commit_.HasUnwritten() || commit_.HasUnsynced()) return {};
  if (end != BlockUp(end) || !report_.damage.empty()) return {};
  auto files = chain_.CleanFiles({.last_frame = last_frame, .end = end});
  if (!files) return {};
  return WalCleanClose{.end = end, .last_frame = last_frame, .files = *std::move(files)};
}

WalPosition DiskWal::StopStaging() {
  MutexLock lock(mutex_);
  staging_stopped_ = true;
  room_.NotifyAll();  // an appender that waits for a place is refused
  return commit_.payload_end();
}

Result<void> DiskWal::CloseWithNote(std::span<const std::byte> note, WalPosition taken_at) {
  MR_TRY(Close());
  std::optional<WalCleanClose> close;
  {
    MutexLock lock(mutex_);
    if (!recovered_) return {};
    close = CleanState();
    // Frames that came behind the note would be lost with it.
    if (commit_.payload_end() != taken_at && !Planted(Bug::kWalNoteOfEarlier)) close.reset();
  }
  if (!close) return {};
  close->note_end = taken_at;
  close->note.assign(note.begin(), note.end());
  [[maybe_unused]] const auto kept = WriteWalCleanClose(file_system_, options_.directory, *close);
  return {};
}

}  // namespace millrace
