#include "wal/recovery_verdict.h"

#include "base/bugs.h"

namespace millrace {

std::string_view WalVerdictName(WalVerdict verdict) {
  static constexpr std::array<std::string_view, kWalVerdicts> kNames = {"good",
                                                                        "torn tail",
                                                                        "hole",
                                                                        "damage",
                                                                        "stale frame",
                                                                        "duplicate frame",
                                                                        "missing file",
                                                                        "interrupted creation",
                                                                        "repaired header",
                                                                        "void file",
                                                                        "read error",
                                                                        "from staging",
                                                                        "duplicate file"};
  return kNames[static_cast<std::size_t>(verdict)];
}

WalVerdict JudgeInvalidPlace(const WalEvidence& evidence) {
  struct Row {
    bool unreadable, later_frames, known_synced;
    WalVerdict verdict;
  };
  static constexpr std::array<Row, 8> kTable = {{
      {false, false, false, WalVerdict::kTornTail},
      {false, true, false, WalVerdict::kHole},
      {false, false, true, WalVerdict::kDamage},
      {false, true, true, WalVerdict::kDamage},
      {true, false, false, WalVerdict::kReadError},
      {true, true, false, WalVerdict::kReadError},
      {true, false, true, WalVerdict::kReadError},
      {true, true, true, WalVerdict::kReadError},
  }};
  for (const Row& row : kTable) {
    if (row.unreadable != evidence.unreadable || row.later_frames != evidence.later_frames ||
        row.known_synced != evidence.known_synced) {
      continue;
    }
    if (row.verdict == WalVerdict::kDamage && Planted(Bug::kWalCutAtDamage)) return WalVerdict::kTornTail;
    return row.verdict;
  }
  return WalVerdict::kReadError;
}

}  // namespace millrace
