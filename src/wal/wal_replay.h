// What recovery of the WAL finds: frames and damage, handed over in the order of their positions, and a report.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "millrace/result.h"
#include "wal/recovery_verdict.h"
#include "wal/wal.h"

namespace millrace {

/// Bytes that were synced once and cannot be read any more.
struct WalDamage {
  WalExtent extent;
  std::string file;
  std::uint64_t byte_begin = 0, byte_end = 0;
  std::string reason;
  /// Whose frame it is, where the frame's header is whole: no other stream lost anything.
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

}  // namespace millrace
