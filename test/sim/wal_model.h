// What a WAL must still know, told in the simplest way: a list of frames, how far it was acknowledged, how far it was
// given back. Knows nothing of files. The code under test is compared with it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "wal/disk_wal.h"

namespace millrace::sim {

/// Of a payload; not the code's own checksum.
std::uint64_t HashOf(std::span<const std::byte> bytes);

struct ModelFrame {
  WalStream stream;
  WalExtent extent;
  std::uint64_t hash = 0;
};

/// Takes down what recovery hands over.
class RecoveredFrames final : public WalReplay {
 public:
  Result<void> OnFrame(WalStream stream, WalExtent extent, std::span<const std::byte> payload) override;
  Result<void> OnDamage(const WalDamage& damage) override;
  /// The frames are what the note says, if it is one of NoteOf.
  bool OnCleanClose(std::span<const std::byte> note) override;
  [[nodiscard]] const std::vector<ModelFrame>& frames() const { return frames_; }
  [[nodiscard]] const std::vector<WalDamage>& damage() const { return damage_; }
  [[nodiscard]] bool Covers(const WalExtent& extent) const;

 private:
  std::vector<ModelFrame> frames_;
  std::vector<WalDamage> damage_;
};

/// What a clean close hands to the next opening: frames, one behind the other.
std::vector<std::byte> NoteOf(std::span<const ModelFrame> frames);

struct Violation {
  std::string property, detail;
};

class WalModel {
 public:
  // An append is in progress from Begin to End; meanwhile, and for ever if it failed, its frame may exist or not.
  void BeginAppend(WalStream stream, std::uint64_t hash);
  void EndAppend(const Result<WalExtent>& extent);
  /// The WAL said that everything before `end` is synced.
  void Acknowledge(WalPosition end) { acknowledged_ = std::max(acknowledged_, end); }
  /// From now on everything before `position` may be gone.
  void GiveBack(WalPosition position) { given_back_ = std::max(given_back_, position); }

  enum class After {
    kPowerLoss,    // all that was acknowledged must be there
    kProcessDeath  // all that was staged must be there
  };
  enum class Bytes {
    kSound,
    kRotten,   // some were changed: what is missing must be reported as damage, and nothing wrong may be shown
    kFileGone  // a whole file cannot be seen: no other file knows of the oldest one, so the front may be missing
  };
  [[nodiscard]] std::optional<Violation> Compare(const RecoveredFrames& found, After after, Bytes bytes) const;
  /// What recovery found is the truth from now on.
  void Adopt(const RecoveredFrames& found);

  [[nodiscard]] const std::vector<ModelFrame>& frames() const { return frames_; }
  [[nodiscard]] WalPosition acknowledged() const { return acknowledged_; }
  [[nodiscard]] WalPosition given_back() const { return given_back_; }
  [[nodiscard]] const ModelFrame* Find(WalPosition begin) const;
  /// An append of this frame failed, or is in progress.
  [[nodiscard]] bool MayExist(WalStream stream, std::uint64_t hash) const;

 private:
  struct MaybeFrame {
    WalStream stream;
    std::uint64_t hash = 0;
  };
  std::vector<ModelFrame> frames_;
  std::vector<MaybeFrame> maybe_;
  /// Given back, and gone in an earlier life. A recycled file that loses its header tells by them what it was, and
  /// nothing else does: they come back then.
  std::vector<MaybeFrame> recycled_;
  WalPosition acknowledged_, given_back_;
};

}  // namespace millrace::sim
