// Which partitions are uploaded next, and in which order their commits happen. Decides; does no I/O of its own.
//
//   idle ──append──► waiting ──size, age, demand or pressure──► claimed ──EndRound──► in flight ──its turn──► committed
//                      ▲                                                                │ failure
//                      └──────────────── pause that grows; the range is taken again ◄───┘
//
// A partition may have several flights; their commits happen in offset order (AwaitTurn).
//
// What is due together shares a round (docs/adr/0041-uploads-sweep-the-wal.md): the round takes the oldest bytes in the
// WAL of all its claims, as many as an object shall hold, and the claims that got nothing are dropped.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "env/random.h"
#include "millrace/clock.h"
#include "millrace/events.h"
#include "millrace/result.h"
#include "tier/partition_upload.h"
#include "wal/wal.h"

namespace millrace {

struct UploadScheduleOptions {
  std::uint64_t segment_bytes_max = 64 << 20;
  std::chrono::milliseconds segment_age_max{60'000};
  std::chrono::milliseconds backoff_first{100}, backoff_max{30'000};
  std::size_t claims_max = 10'000;  // that share a round: their rows are one transaction
};

/// Everything of `upload` below `end`.
struct UploadDemand {
  PartitionUpload* upload = nullptr;
  Offset end;
};

inline constexpr WalPosition kEndOfWal{std::numeric_limits<WalPosition::rep>::max()};

/// The WAL fills up.
struct UploadPressure {
  WalPosition until = kEndOfWal;  // what waits and lies before it is due
  std::uint64_t bytes_min = 0;    // of a round, while what lies before it in the WAL is on its way
};

/// One partition's share of one object.
struct UploadClaim {
  PartitionUpload* upload = nullptr;
  Offset begin;
  std::uint64_t bytes = 0;        // expected; once the round has ended: taken
  WalPosition until = kEndOfWal;  // intervals of the WAL's index that begin at it are left
  bool demanded = false;          // a caller waits: the others take what room is left
  WalPosition place;              // in the WAL, of what waits: there or behind it
  bool unsure = false;            // ask metadata where the partition stands before taking anything
};

/// What a round took of a claim.
struct UploadShare {
  UploadClaim claim;          // `bytes`: taken
  std::optional<Offset> end;  // none: nothing
  std::uint64_t expected_bytes = 0;
};

/// Safe from any thread. Uploads live until it is destroyed.
class UploadSchedule {
 public:
  UploadSchedule(const UploadScheduleOptions& options, Clock& clock, Random& random);

  /// A new or recovered partition; its log knows what waits for upload.
  void Add(PartitionUpload& upload);
  /// Nothing of it is uploaded any more: waiters get `error`.
  void EndUpload(PartitionUpload& upload, const Error& error);
  /// Ends every upload, now and later, and every sleep.
  void Close(const Error& error);

  /// After each append, outside every lock. Cost: one atomic subtraction, unless the partition has to be looked at.
  void OnAppend(PartitionUpload& upload, std::uint64_t bytes) {
    const auto count = static_cast<std::int64_t>(bytes);
    if (upload.countdown_.fetch_sub(count) - count <= 0) [[unlikely]]
      Look(upload);
  }
  /// Everything below `end` is wanted at once.
  void Demand(PartitionUpload& upload, Offset end);
  /// The same of many, told in one go: an uploader sees all of them or none, so that small ones share an object.
  void DemandAll(std::span<const UploadDemand> demands);
  /// Calls `done` once everything below `end` is committed, or with the reason why it never will be. Inline if it is so
  /// already.
  void OnTiered(PartitionUpload& upload, Offset end, std::move_only_function<void(const Result<void>&)> done);
  /// Metadata's tiered_end moved, by a commit or by log_start.
  void OnTieredEnd(PartitionUpload& upload, Offset tiered_end);
  /// While set, what waits for upload and lies far enough back in the WAL is due. To be set anew whenever that may have
  /// changed: a round that would be too small is looked at again then.
  void SetPressure(std::optional<UploadPressure> pressure);

  /// What shares one object, segment_bytes_max of it in all; empty: nothing is due. Each claim ends in Landed, Dropped
  /// or Failed, once.
  [[nodiscard]] std::vector<UploadClaim> Claim();
  /// Metadata said where the partition stands (OnTieredEnd came first): the claim goes on from there.
  void Resynced(UploadClaim& claim);
  /// What came of the claims of one round, told in one go: what it left is taken by one other uploader, in one sweep,
  /// and not by several as they hear of it. A claim of which something was taken may be claimed again from there; of
  /// which nothing was, it has ended as by Dropped.
  void EndRound(std::span<const UploadShare> shares);
  /// The claim's first offsets are damaged; `error` says what is lost.
  void Damaged(PartitionUpload& upload, const Error& error);
  /// Blocks until it is the turn of all of `claims`: every flight before them has committed. Those that lost their
  /// predecessor are dropped and removed.
  void AwaitTurn(std::vector<UploadClaim>& claims);
  void Landed(const UploadClaim& claim);
  /// Nothing was taken, or what was taken is not wanted any more.
  void Dropped(const UploadClaim& claim);
  /// kRefused: the store will not take it, now or later, until the operator changes something; callers who wait for
  /// the upload get the error, and the range is tried again all the same.
  enum class Outcome { kKnown, kUnknown, kRefused };
  /// The range stays where it is and is taken again after a pause.
  void Failed(const UploadClaim& claim, const Error& error, Outcome outcome);

  /// Sleeps until something is due, Wake, or Close; not at all once `stop` is requested; the requester also calls
  /// Wake.
  void AwaitWork(const std::stop_token& stop);
  void Wake();
  /// Monotonic; none: nothing waits for upload.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> NextDue() const;

  /// Called after each failure of a upload and after the success that ends a row of them (null), outside every lock.
  /// Set before the first claim.
  using Listener = std::function<void(const PartitionUpload&, const Error*)>;
  void SetListener(Listener listener) { listener_ = std::move(listener); }
  /// The present row of failures, if the last attempt failed.
  [[nodiscard]] std::optional<BackgroundFailure> Failure(const PartitionUpload& upload) const;
  /// Of the upload that fails for longest. Cost: all uploads, while any fails.
  [[nodiscard]] std::optional<BackgroundFailure> Failure() const;
  /// Waits until nothing is due and nothing in flight, for `time_max` at most; whether that is so.
  bool AwaitIdle(std::chrono::nanoseconds time_max);

  struct UploadState {
    Offset committed_end;
    std::uint64_t failures_ever = 0, damages_ever = 0, refusals_ever = 0;
    std::optional<Error> last_error, damage, ended;
  };
  [[nodiscard]] UploadState State(const PartitionUpload& upload) const;
  /// Counts what AwaitChange waits for: flights that ended.
  [[nodiscard]] std::uint64_t changes() const;
  /// Sleeps until changes() differs from `seen` or something is due.
  void AwaitChange(std::uint64_t seen);

 private:
  using Ready = std::vector<std::pair<PartitionUpload::Waiter, Result<void>>>;
  void Look(PartitionUpload& upload);
  void List(PartitionUpload& upload) MR_REQUIRES(mutex_);
  void Settle(PartitionUpload& upload) MR_REQUIRES(mutex_);
  /// After a change of it. CheckInvariants: all of them, in debug builds.
  void CheckUpload(const PartitionUpload& upload) const MR_REQUIRES(mutex_);
  void CheckInvariants() const MR_REQUIRES(mutex_);
  void Build(const UploadClaim& claim, Offset end, std::uint64_t bytes_claimed) MR_REQUIRES(mutex_);
  void BreakAt(PartitionUpload& upload, Offset begin) MR_REQUIRES(mutex_);
  void Land(const UploadClaim& claim) MR_REQUIRES(mutex_);
  void End(PartitionUpload& upload, const Error& error, Ready& ready) MR_REQUIRES(mutex_);
  void SignalWork() MR_REQUIRES(mutex_);
  /// Unless nobody has to get up for it before he does anyway: of ten thousand that begin to wait, most.
  void SignalFor(const PartitionUpload& upload, std::chrono::nanoseconds now) MR_REQUIRES(mutex_);
  [[nodiscard]] bool MayClaim(const PartitionUpload& upload) const MR_REQUIRES(mutex_);
  [[nodiscard]] bool Wanted(const PartitionUpload& upload, std::chrono::nanoseconds now) const MR_REQUIRES(mutex_);
  [[nodiscard]] bool Full() const MR_REQUIRES(mutex_);
  [[nodiscard]] std::optional<std::chrono::nanoseconds> NextDueLocked(std::chrono::nanoseconds now) const
      MR_REQUIRES(mutex_);
  /// What may be claimed, and how urgent it is.
  struct Candidate {
    PartitionUpload* upload = nullptr;
    enum class Cause { kDemand, kDue, kPressure, kSoon } cause = Cause::kDue;
    WalPosition place;  // in the WAL, of what waits
    std::uint64_t bytes = 1;
  };
  [[nodiscard]] bool Pressed() const MR_REQUIRES(mutex_) { return pressure_ && !pressure_answered_; }
  [[nodiscard]] std::optional<Candidate> CandidateOf(PartitionUpload& upload, std::chrono::nanoseconds now) const
      MR_REQUIRES(mutex_);
  [[nodiscard]] std::vector<Candidate> Candidates(std::chrono::nanoseconds now) MR_REQUIRES(mutex_);
  void DropTooFewPressed(std::vector<Candidate>& candidates) MR_REQUIRES(mutex_);
  void DropThoseNotDue(std::vector<Candidate>& candidates) const MR_REQUIRES(mutex_);
  [[nodiscard]] UploadClaim Take(const Candidate& candidate, std::uint64_t bytes_max) MR_REQUIRES(mutex_);
  [[nodiscard]] std::optional<BackgroundFailure> FailureLocked(const PartitionUpload& upload) const MR_REQUIRES(mutex_);
  void EndFailures(PartitionUpload& upload) MR_REQUIRES(mutex_);
  static void Run(Ready ready);
  void Tell(const PartitionUpload& upload, const Error* error) const;

  const UploadScheduleOptions options_;
  Clock& clock_;
  Random& random_;
  Listener listener_;
  mutable Mutex mutex_;
  CondVar timer_, work_, changed_;
  std::vector<PartitionUpload*> uploads_ MR_GUARDED_BY(mutex_);  // all, to end them
  std::vector<PartitionUpload*> listed_ MR_GUARDED_BY(mutex_);   // in the order they became so
  std::uint64_t flight_bytes_ MR_GUARDED_BY(mutex_) = 0;
  std::size_t failing_ MR_GUARDED_BY(mutex_) = 0;  // uploads
  std::uint64_t changes_ MR_GUARDED_BY(mutex_) = 0, wakes_ MR_GUARDED_BY(mutex_) = 0;
  bool timer_kept_ MR_GUARDED_BY(mutex_) = false;                        // one sleeper minds the deadlines for all
  std::optional<std::chrono::nanoseconds> alarm_ MR_GUARDED_BY(mutex_);  // when it gets up; none: never
  std::size_t awaiting_change_ MR_GUARDED_BY(mutex_) = 0;                // threads
  std::optional<UploadPressure> pressure_ MR_GUARDED_BY(mutex_);
  bool pressure_answered_ MR_GUARDED_BY(mutex_) = false;     // as far as it goes, until it is set anew
  std::multiset<WalPosition> flying_ MR_GUARDED_BY(mutex_);  // places of flights
  std::optional<Error> closed_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
