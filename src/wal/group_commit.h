// How far the log is, and what the next group is: what a leader writes and syncs at once for all who staged something.
//
//   durable_end <= written_end <= closed_end <= end           (all on the line)
//        |              |              |        `-- next frame goes here                        OnStaged, PadTo
//        |              |              `-- the group being written ends here; whole blocks      Close
//        |              `-- in its file; the staging ring holds the rest                        Finish
//        `-- synced                                                                             Finish
//
// Announced is what is durable and known to logs that show it to readers; it follows durable_end. A frame says in its
// header how far the log was synced when it was staged; what the last one said is proved to recovery, and a mark is
// needed while payloads lie behind that. Poison ends it all: nothing is staged or synced any more.
//
// Threads: the log's mutex guards it; LineEnds is read without. It does no I/O: the leader writes a group between Close
// and Finish, under no lock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "millrace/result.h"
#include "wal/file_chain.h"
#include "wal/frame.h"
#include "wal/staging_ring.h"
#include "wal/wal.h"
#include "wal/wal_file.h"

namespace millrace {

/// The positions that threads read without the log's mutex. GroupCommit moves them.
class LineEnds {
 public:
  [[nodiscard]] WalPosition durable() const { return WalPosition(durable_.load(std::memory_order_acquire)); }
  [[nodiscard]] WalPosition announced() const { return WalPosition(announced_.load(std::memory_order_acquire)); }
  [[nodiscard]] WalPosition end() const { return WalPosition(end_.load(std::memory_order_acquire)); }

 private:
  friend class GroupCommit;
  std::atomic<std::int64_t> durable_{0}, end_{0}, announced_{0};
};

class GroupCommit {
 public:
  struct Piece {
    std::shared_ptr<WalFile> file;
    WalPosition begin;
    std::vector<std::span<const std::byte>> bytes;  // what to write from there on, in the ring; may be nothing
  };
  struct Group {
    std::vector<std::uint64_t> numbers;  // the gate's
    WalPosition begin, end;
    std::vector<Piece> pieces;
    WalPosition synced_to;  // by rolling, even if the group itself is not synced
    bool sync = false;
    bool stranded = false;  // failed for want of space alone: it is tried again, and nothing is given up
    std::uint64_t written_bytes = 0, syncs = 0;
  };

  /// `ends` outlives this.
  explicit GroupCommit(LineEnds& ends) : ends_(ends) {}

  [[nodiscard]] WalPosition durable_end() const { return At(ends_.durable_); }
  [[nodiscard]] WalPosition announced_end() const { return At(ends_.announced_); }
  [[nodiscard]] WalPosition written_end() const { return written_end_; }
  [[nodiscard]] WalPosition closed_end() const { return closed_end_; }
  [[nodiscard]] WalPosition end() const { return At(ends_.end_); }
  /// Where the last frame begins; -1: there is none.
  [[nodiscard]] WalPosition last_frame() const { return last_frame_; }
  /// Where the last payload ends.
  [[nodiscard]] WalPosition payload_end() const { return payload_end_; }
  [[nodiscard]] std::uint64_t unwritten_bytes() const { return static_cast<std::uint64_t>(end() - written_end_); }
  [[nodiscard]] bool HasUnwritten() const { return end() > written_end_; }
  [[nodiscard]] bool HasUnsynced() const { return end() > durable_end(); }

  /// The log goes on at `end`, before which all is synced; what is proved to recovery of that ends at `proved`.
  struct Start {
    WalPosition end, last_frame, proved;
  };
  void StartAt(const Start& start);

  // Staging.
  /// The frame of `header` lies in the ring, at its position and with what it says.
  void OnStaged(const WalFrameHeader& header);
  /// Zeros lie in the ring up to there.
  void PadTo(WalPosition padded) { ends_.end_.store(padded.value(), std::memory_order_release); }
  /// There are payloads of which no frame says yet that they were synced, and that could say so.
  [[nodiscard]] bool MarkNeeded() const { return payload_end_ > proved_ && durable_end() > proved_; }
  /// There is no room for a mark; the next frame says as much.
  void ForgoMark() { proved_ = payload_end_; }

  // Leader only: one group at a time.
  /// The group of all that is staged and not written. Precondition: padded to whole blocks. The bytes stay in `ring`
  /// unchanged until Finish.
  [[nodiscard]] Group Close(const FileChain& chain, StagingRing& ring);
  /// `group`, and what was staged since it closed, goes to `fresh` instead, and is synced. Precondition: padded.
  void MoveTo(std::shared_ptr<WalFile> fresh, StagingRing& ring, Group& group);
  /// The group was written, and synced so far as it says. True: the durable end moved.
  [[nodiscard]] bool Finish(const Group& group);
  void Announce(WalPosition durable) { ends_.announced_.store(durable.value(), std::memory_order_release); }

  /// A group took so long to be written and synced.
  void OnSyncTook(std::chrono::nanoseconds took);
  /// How long a leader waits for callers on their way.
  [[nodiscard]] std::chrono::nanoseconds JoinPatience() const;

  /// Null: nothing is wrong.
  [[nodiscard]] const Error* poison() const { return poison_ ? &*poison_ : nullptr; }
  /// False: it was poisoned before, and that error stays.
  [[nodiscard]] bool Poison(Error error);

 private:
  static WalPosition At(const std::atomic<std::int64_t>& position) {
    return WalPosition(position.load(std::memory_order_relaxed));
  }

  LineEnds& ends_;
  WalPosition written_end_, closed_end_, payload_end_;
  WalPosition last_frame_{-1};
  WalPosition proved_;                    // synced_to of the last frame
  std::chrono::nanoseconds sync_time_{};  // of recent groups
  std::optional<Error> poison_;
};

}  // namespace millrace
