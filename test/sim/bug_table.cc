#include "bug_table.h"

namespace millrace::sim {

std::span<const BugCase> BugTable() {
  static const std::vector<BugCase> table = {
      {Bug::kWalAckBeforeSync, "ack before sync", {"1"}, {"acknowledged-lost"}},
      {Bug::kWalSkipDirectorySync, "skip directory sync", {"1"}, {"acknowledged-lost", "damage-without-rot"}},
      {Bug::kWalCrcWithoutGeneration, "CRC without generation", {"1"}, {"invented-frame", "hole", "order-changed"}},
      {Bug::kWalCrcWithoutPosition, "CRC without position", {"1"}, {"invented-frame", "wrong-bytes", "order-changed"}},
      {Bug::kWalRetryAfterFailedSync, "retry after failed sync", {"12-wal"}, {"acknowledged-lost", "hole"}},
      {Bug::kWalAckOutOfOrder, "ack out of order", {"1"}, {"ack-out-of-order", "acknowledged-lost"}},
      {Bug::kWalAcceptBadLastFrame, "accept bad last frame", {"1"}, {"wrong-bytes", "invented-frame"}},
      {Bug::kWalCutAtDamage, "cut at damage", {"10-wal"}, {"acknowledged-lost"}},
      {Bug::kWalStopAtZeroBlock, "stop at a zero block", {"10-wal"}, {"acknowledged-lost"}},
      {Bug::kWalIntervalSyncNeverFires, "interval sync never fires", {"1"}, {"interval-sync-late"}},
      {Bug::kWalWrongSyncedTo, "wrong synced_to", {"1"}, {"damage-without-rot"}},
      {Bug::kWalIgnoreStaging, "ignore staging", {"1"}, {"staged-lost"}},
  };
  return table;
}

}  // namespace millrace::sim
