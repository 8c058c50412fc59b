// Planted bugs: mistakes switched on one at a time in a test build (MILLRACE_BUGS), to prove that the tests see them.
// In every other build Planted() is the constant false and the code behind it does not exist.
#pragma once

#ifdef MILLRACE_BUGS
#include <atomic>
#include <cstdint>
#endif

namespace millrace {

enum class Bug {
  kNone,
  // WAL
  kWalAckBeforeSync,
  kWalSkipDirectorySync,
  kWalCrcWithoutPosition,
  kWalRetryAfterFailedSync,
  kWalAckOutOfOrder,
  kWalAcceptBadLastFrame,
  kWalCutAtDamage,
  kWalStopAtZeroBlock,
  kWalIntervalSyncNeverFires,
  kWalWrongSyncedTo,
  kWalIgnoreStaging,
  kWalNoteOfEarlier,
  kWalUnreadableIsEmpty,
  // Log
  kLogOffsetOffByOneAfterRecovery,
  kLogBaseOffsetTwice,
  kLogVisibleBeyondDurable,
  kLogHalfBatchVisible,
  kLogHoleNotPinned,
  kLogBrokenNotPinned,
  kLogDamageSpreads,
  kLogSequenceBeforeWrite,
  kLogProducersNotRebuilt,
  kLogRepeatedBeforeSync,
  kLogCheckpointBeforeSync,
  // Tier
  kTierTrimBeforeCommit,
  kTierNoEpochInCommit,
  kTierWatermarkFalls,
  kTierKeyReused,
  kTierFailedUploadForgetsRange,
  kTierCollectByListing,
  kTierNoGrace,
  kTierRowsLeftBehind,
  kTierJumpBelieved,
  kTierGapNotCommitted,
  kTierDeleteUnvouched,
  kClaimNotProven,
  kClaimListingBelieved,
  kRestoreCeilingIgnored,
  // Read
  kReadStaleCacheAfterRecreation,
  kReadBudgetEndSkipsData,
  kReadMidBatchReturnsNext,
  kReadErrorBecomesEmpty,
  kReadDamagedChunkServed,
  kReadGapAtHotColdBorder,
  kReadBudgetLeakOnError,
  kReadGapSteppedOver,
  // Positions
  kPositionCommitIgnored,
  kPositionClampedSilently,
  kPositionPersistedAfterHandOut,
  kPositionTwoThreadsOneEntry,
  kPositionOutOfOrder,
  kPositionBatchUncounted,
  kPositionPeekMoves,
  kPositionIndexClamped,
  // Groups
  kGroupCommitBeforeDurable,
  kGroupFetchPassesCommits,
  kGroupOldAssignmentGiven,
  kGroupWaitingMemberExpires,
  kGroupOldGenerationCommits,
  // Wire
  kWireCountTrusted,
  kWireUnknownTagStored,
  kWireUncappedDecoding,
  kWireRepliesOutOfOrder,
  kWireBufferReused,
  // Metadata
  kMetaOutcomeGuessed,
  kEnd,
};

#ifdef MILLRACE_BUGS
/// The one bug that is switched on; set by the scoring program before a run, which then knows whether any code acted on
/// it.
extern Bug active_bug;
extern std::atomic<std::uint64_t> planted_firings;
inline bool Planted(Bug bug) {
  if (active_bug != bug) return false;
  planted_firings.fetch_add(1, std::memory_order_relaxed);
  return true;
}
#else
constexpr bool Planted(Bug) { return false; }
#endif

}  // namespace millrace
