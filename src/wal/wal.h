// The write-ahead log: one for all partitions of an engine. Frames of any stream go in back to back; a group of them is
// written and synced at once; what was synced is found again after any crash. It knows streams by number and no topics.
//
// Positions are one line of bytes over all files: file k holds [base, base + length) of it. A frame keeps its position
// for ever.
//
//   Append ──► staged (kOs: survives the process) ──► written + synced by a leader (kDisk) ──► durable_end moves,
//   waiters wake
//
// Threads: every call from any thread. There is no thread inside: CommitOnce, SyncDueOnce and PrepareFilesOnce are
// steps, called in loops by whoever owns the threads; AwaitDurable leads a group itself when nobody else does.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "wal/recovery_verdict.h"

namespace millrace {

/// A byte position in the line of all WAL files. Grows for ever, over restarts too.
using WalPosition = StrongPoint<struct WalPositionTag, std::int64_t>;
/// Whose frame it is; given by the caller, meaningless here.
using WalStream = Strong<struct WalStreamTag, std::uint64_t>;

struct WalOptions {
  std::filesystem::path directory;
  SyncPolicy sync;
  std::uint64_t wal_bytes_max = 4ull << 30;  // budget of all files
  std::uint64_t frame_bytes_max = 17 << 20;  // largest payload
  std::uint64_t staging_bytes = 4 << 20;     // a multiple of 4,096, at least 16 KiB
  std::uint64_t file_bytes = 0;              // of one file; 0: an eighth of the budget, at most 64 MiB
};

/// A whole frame: [begin, end) on the line.
struct WalExtent {
  WalPosition begin, end;
  friend bool operator==(const WalExtent&, const WalExtent&) = default;
};

/// Bytes that were synced once and cannot be read any more.
struct WalDamage {
  WalExtent extent;
  std::string file;
  std::uint64_t byte_begin = 0, byte_end = 0;
  std::string reason;
  /// Whose frame it is, where the frame's header is whole: nobody else lost anything.
  std::optional<WalStream> stream;
  /// No more than one frame can have stood there: the next one names the first place in it as the frame before.
  bool one_frame = false;
};

/// What recovery found, handed over in position order during Open.
class WalReplay {
 public:
  virtual ~WalReplay() = default;
  virtual Result<void> OnFrame(WalStream stream, WalExtent extent, std::span<const std::byte> payload) = 0;
  virtual Result<void> OnDamage(const WalDamage& damage) = 0;
  /// The same for a frame whose header is whole and names its stream; of `payload` some bytes are wrong.
  virtual Result<void> OnDamagedFrame(const WalDamage& damage, std::span<const std::byte> payload) {
    static_cast<void>(payload);
    return OnDamage(damage);
  }
  /// The log was closed cleanly, with this note, and nothing has changed since. True: the note tells all that the
  /// frames would, and none of them is read. False: they are, and nothing of the note was used.
  virtual bool OnCleanClose(std::span<const std::byte> note) {
    static_cast<void>(note);
    return false;
  }
};

struct WalRecoveryReport {
  std::uint64_t files = 0, frames = 0, bytes_scanned = 0, bytes_cut = 0, frames_from_staging = 0;
  std::vector<WalDamage> damage;
  WalVerdictCounts verdicts{};  // how often each row of the decision table was met
  bool clean_close = false;     // the note of a clean close stood for all frames; none was read
};

struct WalStats {
  std::uint64_t frames = 0, payload_bytes = 0, written_bytes = 0, syncs = 0, groups = 0, files = 0, pool_files = 0,
                file_bytes = 0;
  std::string io_path;  // "staging ring, direct I/O" or a fallback; "; plans by io_uring" or "… positional calls"
};

class Wal {
 public:
  /// Recovers. Errors: kUnavailable (I/O; also a file that cannot be read: nothing is changed then), kOutOfSpace,
  /// kCorruption (only for what no verdict covers), kInvalidArgument (options). Damage is reported, not an error.
  static Result<std::unique_ptr<Wal>> Open(const WalOptions& options, FileSystem& file_system, Clock& clock,
                                           WalReplay& replay);
  virtual ~Wal() = default;

  /// Stages one frame: `payload` is the concatenation of `pieces`. When this returns the frame is in the operating
  /// system (kOs) and has its place in the order. No I/O while there is room in the staging buffer; holding a lock of
  /// an upper floor is allowed. Errors: kUnavailable (wait for room with AwaitRoom and repeat; nothing happened),
  /// kInvalidArgument (too large), kOutOfSpace (budget or disk), kClosed, and the error that poisoned the log.
  virtual Result<WalExtent> TryAppend(WalStream stream, std::span<const std::span<const std::byte>> pieces) = 0;
  /// The same for a payload of two pieces of which the second one's CRC-32C is known: saves a pass over a large one.
  virtual Result<WalExtent> TryAppendWithCrc(WalStream stream, std::span<const std::byte> head,
                                             std::span<const std::byte> body, std::uint32_t body_crc) {
    static_cast<void>(body_crc);
    const std::span<const std::byte> pieces[] = {head, body};
    return TryAppend(stream, pieces);
  }
  /// Makes or waits for room for a frame of `payload_bytes` in the staging buffer and in the files. Blocks; no locks
  /// held. At the deadline: kOutOfSpace (WAL budget or disk full: upload and recycle), kTimeout (a sync is under way
  /// and does not end).
  virtual Result<void> AwaitRoom(std::uint64_t payload_bytes, std::chrono::nanoseconds deadline) = 0;

  /// Blocks until everything before `end` is synced; leads the group commit if nobody does. No locks held. Deadline on
  /// Clock::Monotonic. Errors: kTimeout, the poison, kClosed.
  virtual Result<void> AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds> deadline = {}) = 0;
  /// Calls `done` once everything before `end` is synced (inline if it is), in position order, under no lock; with the
  /// poison if it never will be. Wakes whoever waits in AwaitWork.
  virtual void OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) = 0;

  [[nodiscard]] virtual WalPosition begin() const = 0;        // oldest position still held
  [[nodiscard]] virtual WalPosition durable_end() const = 0;  // all before is synced
  [[nodiscard]] virtual WalPosition end() const = 0;          // all before is staged
  /// Called after durable_end moved, on the leader's thread, under no lock. Set once, before the first append.
  virtual void SetDurableListener(std::function<void(WalPosition durable_end)> listener) = 0;

  /// Frames of `stream` that begin in [range.begin, range.end), verified (CRC, generation, position), in order, as
  /// slices that stay valid; staged frames included. Stops after the frame that brings `bytes_max` payload bytes; at
  /// least one frame if there is one. `next` is where to go on (range.end if done). Errors: kCorruption (with file and
  /// byte range in damage(); offsets unset), kOutOfRange (recycled), kUnavailable. Cost: one read per contiguous
  /// megabyte.
  struct Frame {
    WalExtent extent;
    SharedBytes payload;
  };
  struct Frames {
    std::vector<Frame> frames;
    WalPosition next;
  };
  virtual Result<Frames> Read(WalStream stream, WalExtent range, std::uint64_t bytes_max) = 0;
  /// Where the damage ends that an error of Read names; none if its file has gone.
  [[nodiscard]] virtual std::optional<WalPosition> EndOf(const DamagedRange& damage) const = 0;

  /// Files that lie wholly before `position` go back to the pool. The active file stays unless it holds nothing past
  /// `position` and `seal` asks to leave it.
  enum class Seal { kKeepActive, kSealActive };
  virtual Result<void> Recycle(WalPosition position, Seal seal) = 0;
  /// Bytes of files held (not the pool) and of the budget.
  struct Space {
    std::uint64_t used = 0, max = 0;
  };
  [[nodiscard]] virtual Space space() const = 0;

  // Steps. True: something was done, call again; false: nothing to do.
  virtual Result<bool> CommitOnce() = 0;        // write out, and sync if anybody waits or the policy says so
  virtual Result<bool> SyncDueOnce() = 0;       // SyncPolicy::Interval, and the mark after 10 ms of idleness
  virtual Result<bool> PrepareFilesOnce() = 0;  // pre-writes the next pool file
  /// Sleeps until a step has work, `deadline` passes, or `Wake` (also one since the last sleep:
  /// nobody who is told to stop just before he falls asleep sleeps on). Returns at once if there is work. One sleeper.
  virtual void AwaitWork(std::optional<std::chrono::nanoseconds> deadline) = 0;
  virtual void Wake() = 0;
  /// When a timed step is next due; none while idle.
  [[nodiscard]] virtual std::optional<std::chrono::nanoseconds> NextDue() const = 0;

  [[nodiscard]] virtual const WalRecoveryReport& recovery() const = 0;
  [[nodiscard]] virtual WalStats Stats() const = 0;
  /// Syncs what is staged, writes the end mark, completes every OnDurable; later calls answer kClosed.
  virtual Result<void> Close() = 0;
  /// Every append is refused (kClosed) from now on; what is staged can still be waited for. Where the last one ends:
  /// what is known of the frames up to there is all there will ever be to know. As often as one likes.
  virtual WalPosition StopStaging() { return end(); }
  /// Close; and if nothing is wrong with the log, `note` is handed to the next opening instead of the frames. It must
  /// tell of every frame held up to `taken_at`, which StopStaging told before the note was made; a note of an earlier
  /// moment is not kept. Failing to keep it is no error: the next opening then reads the frames.
  virtual Result<void> CloseWithNote(std::span<const std::byte> note, WalPosition taken_at) {
    static_cast<void>(note);
    static_cast<void>(taken_at);
    return Close();
  }
};

}  // namespace millrace
