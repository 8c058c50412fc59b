#include "wal/recovery_verdict.h"

#include "base/bugs.h"
#include "base/check.h"

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
  static_assert(kNames.size() == kWalVerdicts && !kNames.back().empty());
  MR_CHECK(static_cast<std::size_t>(verdict) < kNames.size(), static_cast<std::size_t>(verdict));
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
  static_assert(kTable.size() == 1 << 3, "a row for every combination of the evidence");
  for (const Row& row : kTable) {
    if (row.unreadable != evidence.unreadable || row.later_frames != evidence.later_frames ||
        row.known_synced != evidence.known_synced) {
      continue;
    }
    if (row.verdict == WalVerdict::kDamage && Planted(Bug::kWalCutAtDamage)) return WalVerdict::kTornTail;
    return row.verdict;
  }
  MR_CHECK(false, evidence.unreadable, evidence.later_frames, evidence.known_synced);
}

}  // namespace millrace
