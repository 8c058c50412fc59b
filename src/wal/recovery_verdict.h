// The decision table of recovery: what stands at a place, what else is known, and what follows. One row, one verdict;
// each verdict is counted.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace millrace {

enum class WalVerdict : std::uint8_t {
  kGood,                 // a valid frame at its place
  kTornTail,             // nothing valid after: cut
  kHole,                 // later frames, none knows this place as synced: cut, they are discarded
  kDamage,               // a later frame or header knows this place as synced: keep what follows, report the gap
  kStaleFrame,           // a whole frame of an older use of the file: ignored
  kDuplicateFrame,       // a whole frame of this generation that stands at a wrong place: ignored
  kMissingFile,          // a file between two others is gone: damage
  kInterruptedCreation,  // no header and no frames: back to the pool
  kRepairedHeader,       // no header, but frames that tell what it said
  kVoidFile,             // a live file the line left aside: back to the pool
  kReadError,            // the disk refuses to give the bytes: damage, never cut
  kFromStaging,          // a frame that was staged and not yet in its file
  kDuplicateFile,        // two files claim one generation: the second is left alone
};
inline constexpr std::size_t kWalVerdicts = static_cast<std::size_t>(WalVerdict::kDuplicateFile) + 1;
using WalVerdictCounts = std::array<std::uint64_t, kWalVerdicts>;

std::string_view WalVerdictName(WalVerdict verdict);

/// What is known about a place where no valid frame stands.
struct WalEvidence {
  bool unreadable = false;    // the disk gave an error for some byte from here on
  bool later_frames = false;  // valid frames of this generation stand further on
  bool known_synced = false;  // a later frame, a mark or the next file's header says this place was synced
};

/// kTornTail, kHole, kDamage or kReadError.
WalVerdict JudgeInvalidPlace(const WalEvidence& evidence);

}  // namespace millrace
