// The WAL over a directory of files: puts the pieces of this room together.
//
//   under the mutex   GroupCommit   how far the log is, and what the next group is
//                     FileChain     which files there are, and what each is for
//                     IdleClock     what is due by the clock, and when the sleeper is called
//                     StagingRing   the bytes that no file has yet
//   beside it         GroupGate, CompletionQueue, WalFileFactory; LineEnds, which any thread reads
//
// The first three decide and keep account, without I/O; GroupCommit is handed the chain and the ring when it closes a
// group, else none knows another. DiskWal locks, asks them, does the I/O between the locks, tells them what came of it,
// and wakes the threads that wait for it.
//
// There is no thread inside: the room that owns the threads calls the steps in loops.
//
// One leader at a time writes, syncs and rolls files; leadership (kept by the gate) passes through the mutex, and what
// only the leader touches is marked so.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/group_gate.h"
#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "wal/clean_close.h"
#include "wal/completion_queue.h"
#include "wal/file_chain.h"
#include "wal/frame.h"
#include "wal/group_commit.h"
#include "wal/idle_clock.h"
#include "wal/staging_ring.h"
#include "wal/wal.h"
#include "wal/wal_file.h"
#include "wal/wal_file_factory.h"
#include "wal/wal_recovery.h"
#include "wal/wal_replay.h"

namespace millrace {

struct WalOptions {
  std::filesystem::path directory;
  SyncPolicy sync;
  std::uint64_t wal_bytes_max = 4ull << 30;  // budget of all files
  std::uint64_t frame_bytes_max = 17 << 20;  // largest payload
  std::uint64_t staging_bytes = 4 << 20;     // a multiple of 4,096, at least 16 KiB
  std::uint64_t file_bytes = 0;              // of one file; 0: an eighth of the budget, at most 64 MiB
};

struct WalStats {
  std::uint64_t frames = 0, payload_bytes = 0, written_bytes = 0, syncs = 0, groups = 0, files = 0, pool_files = 0,
                file_bytes = 0, read_bytes = 0;  // read_bytes: of files, by Read
  std::string io_path;  // "staging ring, direct I/O" or a fallback; "; plans by io_uring" or "… positional calls"
};

class DiskWal final : public Wal {
 public:
  /// Construction and recovery in one. Errors: those of Recover.
  static Result<std::unique_ptr<DiskWal>> Open(const WalOptions& options, FileSystem& file_system, Clock& clock,
                                               WalReplay& replay);
  /// No I/O: objects that hold it by reference can be made before it is recovered into them.
  DiskWal(const WalOptions& options, FileSystem& file_system, Clock& clock);

  /// Once, before everything else. Errors: kUnavailable (I/O; also a file that cannot be read: nothing is changed
  /// then), kOutOfSpace, kCorruption (only for what no verdict covers), kInvalidArgument (options). Damage is reported,
  /// not an error. After an error only Close may be called, which then changes nothing.
  Result<void> Recover(WalReplay& replay);
  /// What Recover found.
  [[nodiscard]] const WalRecoveryReport& recovery() const { return report_; }

  Result<WalExtent> TryAppend(WalStream stream, std::span<const std::span<const std::byte>> pieces) override;
  Result<WalExtent> TryAppendWithCrc(WalStream stream, std::span<const std::byte> head, std::span<const std::byte> body,
                                     std::uint32_t body_crc) override;
  Result<void> AwaitRoom(std::uint64_t payload_bytes, std::chrono::nanoseconds deadline) override;
  Result<void> AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds> deadline = {}) override;
  void OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) override;
  [[nodiscard]] WalPosition durable_end() const override;
  Result<Frames> Read(const WalStreams& streams, WalExtent range, std::uint64_t bytes_max) override;
  [[nodiscard]] std::optional<WalPosition> EndOf(const DamagedRange& damage) const override;

  [[nodiscard]] WalPosition begin() const;  // oldest position still held
  [[nodiscard]] WalPosition end() const;    // all before is staged
  /// Called after durable_end moved, on the leader's thread, under no lock. Set once, before the first append.
  void SetDurableListener(std::function<void(WalPosition durable_end)> listener);

  /// Files that lie wholly before `position` go back to the pool. The active file stays unless it holds nothing past
  /// `position` and `seal` asks to leave it.
  enum class Seal { kKeepActive, kSealActive };
  Result<void> Recycle(WalPosition position, Seal seal);
  /// Whether Recycle would give a file back.
  [[nodiscard]] bool Frees(WalPosition position, Seal seal) const;
  /// Bytes of files held (not the pool), of those of them that hold `from` or what lies behind it, and of the budget.
  struct Space {
    std::uint64_t used = 0, used_from = 0, max = 0;
  };
  [[nodiscard]] Space space(WalPosition from = WalPosition(0)) const;
  /// All before lies in files that take no more frames.
  [[nodiscard]] WalPosition sealed_end() const;
  [[nodiscard]] WalStats Stats() const;

  // Steps, called in loops by the owner of the threads. True: something was done, call again; false: nothing to do.
  Result<bool> CommitOnce();        // write out, and sync if an appender waits or the policy says so
  Result<bool> SyncDueOnce();       // SyncPolicy::Interval, and the mark after 10 ms of idleness
  Result<bool> PrepareFilesOnce();  // pre-writes the next pool file
  /// Sleeps until a step has work, `deadline` passes, or `Wake` was called, which counts also if it came before the
  /// sleep. Returns at once if there is work. One sleeper.
  void AwaitWork(std::optional<std::chrono::nanoseconds> deadline);
  void Wake();
  /// When a timed step is next due; none while idle.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> NextDue() const;

  /// Syncs what is staged, writes the end mark, completes every OnDurable; later calls answer kClosed.
  Result<void> Close();
  /// Every append is refused (kClosed) from now on; what is staged can still be waited for. Where the last one ends:
  /// what is known of the frames up to there is all there will ever be to know. As often as one likes.
  WalPosition StopStaging();
  /// Close; and if nothing is wrong with the log, `note` is handed to the next opening instead of the frames. It must
  /// tell of every frame held up to `taken_at`, which StopStaging told before the note was made; a note of an earlier
  /// moment is not kept. Failing to keep it is no error: the next opening then reads the frames.
  Result<void> CloseWithNote(std::span<const std::byte> note, WalPosition taken_at);

 private:
  enum class Lead { kDrain, kSync };
  using Group = GroupCommit::Group;
  enum class Missing { kNothing, kUsableFile, kStaging, kLargeArea, kFile, kBudget };
  // Reading (disk_wal_read.cc).
  Result<Frames> ReadFile(const WalFile& file, const WalStreams& streams, WalExtent range, std::uint64_t bytes_max);
  Result<Frames> ReadStaged(const WalStreams& streams, WalExtent range, std::uint64_t bytes_max);
  Error DamageAt(const WalFile& file, WalExtent range) const;

  // Appending (disk_wal_append.cc).
  Result<WalExtent> TryStage(WalFrameHeader header, std::uint64_t payload_bytes,
                             std::span<const std::span<const std::byte>> pieces);
  [[nodiscard]] Result<void> CheckUsable() const MR_REQUIRES(mutex_);
  /// What a frame of this size lacks; rolls to the next file if that is all it takes.
  Missing MakePlace(std::uint64_t frame_bytes, WalFrameKind kind = WalFrameKind::kPayload) MR_REQUIRES(mutex_);
  [[nodiscard]] bool IsLarge(std::uint64_t frame_bytes) const MR_REQUIRES(mutex_);
  /// kOutOfSpace: nothing was staged. Any other failure poisons the log.
  Result<WalExtent> Stage(WalFrameHeader header, std::span<const std::span<const std::byte>> pieces)
      MR_REQUIRES(mutex_);
  void PadToBlock() MR_REQUIRES(mutex_);
  /// To a file of at least this capacity.
  Missing Roll(std::uint64_t capacity_min) MR_REQUIRES(mutex_);
  Result<void> SupplyMissing(Missing missing, std::uint64_t frame_bytes, std::chrono::nanoseconds patience);
  std::chrono::nanoseconds AwaitSpace(std::uint64_t frame_bytes, std::chrono::nanoseconds pause);
  Result<void> MakeLargeArea(std::uint64_t frame_bytes);

  // Committing (disk_wal_commit.cc).
  /// Precondition: this thread leads. Ends the leadership.
  Result<void> LeadGroup(Lead lead);
  void AwaitJoiners(std::optional<std::chrono::nanoseconds> deadline);
  Group CloseGroup(Lead lead) MR_REQUIRES(mutex_);
  /// The group's file failed: everything not durable goes to a fresh file, once.
  Result<void> Rescue(Group& group, const Error& error);
  void FinishGroup(const Group& group, const Result<void>& result);
  /// Leadership that ends without a group. A group ends it in FinishGroup.
  void EndLeadership() MR_REQUIRES(mutex_);
  /// Nothing is staged or synced any more: every caller that waits looks again.
  void SetPoison(Error error) MR_REQUIRES(mutex_);

  // Files (disk_wal_files.cc).
  Result<void> BeginFirstFile(WalPosition start, WalPosition last_frame, const std::vector<StagedFrame>& carried);
  Result<void> EnsureUsable();
  /// Removes a file that may hold a live header and is no part of the chain. If that fails it is tried again before the
  /// chain gets shorter: without the files after it, recovery could not tell it from one.
  void DropFailed(const std::shared_ptr<WalFile>& file);
  [[nodiscard]] bool LacksFile() const MR_REQUIRES(mutex_);  // one should be made ahead
  [[nodiscard]] bool WantsFile() const MR_REQUIRES(mutex_);  // and now
  /// One step of making a file. Precondition: building_ was set by this thread.
  Result<void> BuildStep(std::uint64_t capacity_min, std::uint64_t step_bytes);
  void EndBuilding(const Result<void>& built) MR_REQUIRES(mutex_);
  Result<void> BuildUntilReady(std::uint64_t capacity_min);
  Result<void> SealActive(WalPosition position);
  Result<void> FreeFile(const std::shared_ptr<WalFile>& file);

  /// What a closed log may leave behind; none if an opening should look at everything.
  [[nodiscard]] std::optional<WalCleanClose> CleanState() const MR_REQUIRES(mutex_);

  // Steps (disk_wal_steps.cc).
  [[nodiscard]] IdleClock::Waiting WaitingForClock() const MR_REQUIRES(mutex_);
  [[nodiscard]] IdleClock::Leader LeaderNow() const MR_REQUIRES(mutex_);
  [[nodiscard]] bool DrainDue() const MR_REQUIRES(mutex_);
  [[nodiscard]] bool HasWork() const MR_REQUIRES(mutex_);
  void WakeSleeper() MR_REQUIRES(mutex_);
  bool StageMark() MR_REQUIRES(mutex_);
  std::optional<Lead> LeadWhenIdle() MR_REQUIRES(mutex_);
  Result<bool> DropLargeArea();

  // Constant after construction (and after Recover).
  const WalOptions options_;
  FileSystem& file_system_;
  Clock& clock_;
  bool may_continue_ = false;  // recovery left the newest file fit for more
  WalRecoveryReport report_;
  std::function<void(WalPosition)> listener_;

  // Own synchronization.
  CompletionQueue completions_;
  GroupGate gate_;
  std::atomic<std::int64_t> begin_{0};  // the chain's, written under the mutex
  Counter read_bytes_;
  LineEnds ends_;
  // Only the thread that set building_ uses it.
  WalFileFactory factory_;

  mutable Mutex mutex_;
  CondVar room_, work_, led_;
  GroupCommit commit_ MR_GUARDED_BY(mutex_);
  FileChain chain_ MR_GUARDED_BY(mutex_);
  IdleClock idle_ MR_GUARDED_BY(mutex_);
  std::unique_ptr<StagingRing> ring_ MR_GUARDED_BY(mutex_);  // never replaced; a leader reads its group from it
  bool active_usable_ MR_GUARDED_BY(mutex_) = false, touching_ MR_GUARDED_BY(mutex_) = true;
  bool building_ MR_GUARDED_BY(mutex_) = false;
  bool staging_stopped_ MR_GUARDED_BY(mutex_) = false;  // no payload gets a place any more; marks do
  bool recovered_ MR_GUARDED_BY(mutex_) = false;
  bool closing_ MR_GUARDED_BY(mutex_) = false, closed_ MR_GUARDED_BY(mutex_) = false;
  WalStats stats_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
