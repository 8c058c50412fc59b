// The appends of one turn of an event loop: staged one by one, committed together, told each. One sync serves the turn,
// and while a sync is short the loop makes it itself: no other thread is waited for on the way to the reply.
//
//   Stage ─► Stage ─► … ─► Commit ─┬─ sync is short: the loop syncs ──────────────► done, done, …
//                                  └─ sync is long, or for the object store: ─► (called) ─► post ─► done, done, …
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "engine/partition_access.h"
#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

/// How an append of a turn ended.
struct CommitOutcome {
  StagedBatch batch;
  /// Where the batch is known to be: never more than is true, and `asked` at least if there is no error.
  Durability reached = Durability::kOs;
  /// None: success. Else the batch has its offsets and is in the log, and it is not known whether it survives a crash
  /// or ever becomes visible: to append it again may make it come twice. A failure that leaves nothing behind is told
  /// by Stage.
  std::optional<Error> unknown;
};

/// For one event loop, on its thread alone; `post` is called from any thread.
class CommitTurn {
 public:
  using Done = std::move_only_function<void(const CommitOutcome&)>;
  /// Has the loop run `task` on its thread, soon. Must neither block nor run it at once. A loop that has ended may drop
  /// it.
  using Post = std::function<void(std::move_only_function<void()> task)>;

  struct Options {
    /// While a sync takes less than this on average, the loop makes it itself. 0: never.
    std::chrono::nanoseconds own_sync_max = std::chrono::milliseconds(1);
    /// What it takes to have another thread sync and be called back. A turn in which staging took longer than a sync
    /// has its sync made by that thread, so that the loop serves the next requests meanwhile, if syncs take more than
    /// this.
    std::chrono::nanoseconds hand_over_cost = std::chrono::microseconds(30);
  };

  /// `access` outlives the turn.
  CommitTurn(PartitionAccess& access, Post post, Options options);
  /// Appends that were not told are dropped with their `done`s: their outcome is not known. When it returns no `post`
  /// is running, and none will be called.
  ~CommitTurn();
  CommitTurn(const CommitTurn&) = delete;
  CommitTurn& operator=(const CommitTurn&) = delete;

  /// Stages `batch` (see PartitionAccess::TryAppend) for `asked`. Takes `batch` and `done`, or leaves both with an
  /// error: nothing happened. `done` is called by Commit, or later by `post`; once, under no lock; it may stage, which
  /// belongs to the next Commit. Never blocks.
  Result<void> Stage(PartitionHandle partition, Buffer& batch, Durability asked, Done& done);
  /// What Stage gave the last batch: for a caller that replies before the sync (acks = 0 and 1 need no `done`).
  [[nodiscard]] const StagedBatch& last_staged() const;
  /// At the end of each turn that staged something: has everything staged so far synced, if it asks for it. What asked
  /// for kOs is told at once, what asked for kDisk too if the loop synced, all in the order of staging; kObject is told
  /// by `post`. Blocks for one sync at most while syncs are short and the turn was shorter, else never.
  void Commit();

  /// Staged, and not told yet.
  [[nodiscard]] std::size_t pending() const;
  /// The running estimate of a sync that Commit goes by; 0 before the first.
  [[nodiscard]] std::chrono::nanoseconds sync_estimate() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

}  // namespace millrace
