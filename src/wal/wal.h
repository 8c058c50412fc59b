// The write-ahead log as partitions see it: one for all of an engine. Frames of any stream go in back to back; a group
// of them is written and synced at once; what was synced is found again after any crash. It knows streams by number and
// no topics.
//
// Positions are one line of bytes over all files: file k holds [base, base + length) of it. A frame keeps its position
// for ever.
//
//   Append ──► staged (kOs: survives the process) ──► written + synced by a leader (kDisk) ──► durable_end moves,
//   waiters wake
//
// Threads: every call from any thread. There is none inside; AwaitDurable leads a group itself when no other does.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/result.h"
#include "millrace/strong.h"
#include "millrace/types.h"

namespace millrace {

/// A byte position in the line of all WAL files. Grows for ever, over restarts too.
using WalPosition = StrongPoint<struct WalPositionTag, std::int64_t>;
/// Whose frame it is; given by the caller, meaningless here.
using WalStream = Strong<struct WalStreamTag, std::uint64_t>;

/// A whole frame: [begin, end) on the line.
struct WalExtent {
  WalPosition begin, end;
  friend bool operator==(const WalExtent&, const WalExtent&) = default;
};

/// Whose frames a read brings: those of one stream, or of a set, which outlives the read.
class WalStreams {
 public:
  WalStreams(WalStream one) : one_(one) {}  // NOLINT(google-explicit-constructor): most reads are of one
  explicit WalStreams(const std::unordered_set<WalStream>& several) : several_(&several) {}
  [[nodiscard]] bool Has(WalStream stream) const {
    return several_ == nullptr ? stream == one_ : several_->contains(stream);
  }

 private:
  WalStream one_;
  const std::unordered_set<WalStream>* several_ = nullptr;
};

/// What a partition's log needs of the WAL. Opening, steps, space and closing belong to DiskWal's owner alone.
class Wal {
 public:
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

  /// Blocks until everything before `end` is synced; leads the group commit if no caller does. No locks held. Deadline
  /// on Clock::Monotonic. Errors: kTimeout, the poison, kClosed.
  virtual Result<void> AwaitDurable(WalPosition end, std::optional<std::chrono::nanoseconds> deadline = {}) = 0;
  /// Calls `done` once everything before `end` is synced (inline if it is), in position order, under no lock; with the
  /// poison if it never will be. Wakes the thread in AwaitWork.
  virtual void OnDurable(WalPosition end, std::move_only_function<void(const Result<void>&)> done) = 0;

  [[nodiscard]] virtual WalPosition durable_end() const = 0;  // all before is synced

  /// Frames of `streams` that begin in [range.begin, range.end), verified (CRC, generation, position), in order, as
  /// slices that stay valid; staged frames included. Stops after the frame that brings `bytes_max` payload bytes; at
  /// least one frame if there is one. `next` is where to go on (range.end if done). Of other streams' frames the
  /// headers alone are checked. Errors: kCorruption (with file and byte range in damage(); offsets unset), kOutOfRange
  /// (recycled), kUnavailable. Cost: each byte of the range is read once, in pieces of a megabyte, which the slices
  /// keep in memory.
  struct Frame {
    WalExtent extent;
    SharedBytes payload;
    WalStream stream;
  };
  struct Frames {
    std::vector<Frame> frames;
    WalPosition next;
  };
  virtual Result<Frames> Read(const WalStreams& streams, WalExtent range, std::uint64_t bytes_max) = 0;
  /// Where the damage ends that an error of Read names; none if its file has gone.
  [[nodiscard]] virtual std::optional<WalPosition> EndOf(const DamagedRange& damage) const = 0;
};

}  // namespace millrace
