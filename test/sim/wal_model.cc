#include "wal_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace millrace::sim {
namespace {

std::string Show(const ModelFrame& frame) {
  return fmt::format("[{}, {}) of stream {}", frame.extent.begin.value(), frame.extent.end.value(),
                     frame.stream.value());
}

}  // namespace

std::uint64_t HashOf(std::span<const std::byte> bytes) {
  std::uint64_t hash = bytes.size() * 0x9e3779b97f4a7c15U + 1;
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    hash = (hash ^ word) * 0xbf58476d1ce4e5b9U;
    hash ^= hash >> 29;
  }
  for (const std::byte byte : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31);
}

Result<void> RecoveredFrames::OnFrame(WalStream stream, WalExtent extent, std::span<const std::byte> payload) {
  frames_.push_back({stream, extent, HashOf(payload)});
  return {};
}

Result<void> RecoveredFrames::OnDamage(const WalDamage& damage) {
  damage_.push_back(damage);
  return {};
}

std::vector<std::byte> NoteOf(std::span<const ModelFrame> frames) {
  static_assert(std::is_trivially_copyable_v<ModelFrame>);
  const auto bytes = std::as_bytes(frames);
  return {bytes.begin(), bytes.end()};
}

bool RecoveredFrames::OnCleanClose(std::span<const std::byte> note) {
  if (note.size() % sizeof(ModelFrame) != 0) return false;
  frames_.resize(note.size() / sizeof(ModelFrame));
  if (!note.empty()) std::memcpy(frames_.data(), note.data(), note.size());
  return true;
}

bool RecoveredFrames::Covers(const WalExtent& extent) const {
  return std::ranges::any_of(damage_, [&extent](const WalDamage& damage) {
    return damage.extent.begin < extent.end && extent.begin < damage.extent.end;
  });
}

void WalModel::BeginAppend(WalStream stream, std::uint64_t hash) { maybe_.push_back({stream, hash}); }

void WalModel::EndAppend(const Result<WalExtent>& extent) {
  if (!extent) {
    // Room was wanting, or the frame was refused: then nothing happened.
    const ErrorCode code = extent.error().code();
    if (code == ErrorCode::kInvalidArgument || code == ErrorCode::kClosed) maybe_.pop_back();
    return;
  }
  frames_.push_back({maybe_.back().stream, *extent, maybe_.back().hash});
  maybe_.pop_back();
}

bool WalModel::MayExist(WalStream stream, std::uint64_t hash) const {
  const auto is = [&](const MaybeFrame& maybe) { return maybe.stream == stream && maybe.hash == hash; };
  return std::ranges::any_of(maybe_, is) || std::ranges::any_of(recycled_, is);
}

const ModelFrame* WalModel::Find(WalPosition begin) const {
  const auto at =
      std::ranges::lower_bound(frames_, begin, {}, [](const ModelFrame& frame) { return frame.extent.begin; });
  return at != frames_.end() && at->extent.begin == begin ? &*at : nullptr;
}

std::optional<Violation> WalModel::Compare(const RecoveredFrames& found, After after, Bytes bytes) const {
  if (bytes == Bytes::kSound && !found.damage().empty()) {
    const WalDamage& damage = found.damage().front();
    return Violation{"damage-without-rot",
                     fmt::format("[{}, {}) {}", damage.extent.begin.value(), damage.extent.end.value(), damage.reason)};
  }
  std::size_t next = 0;  // of the model
  bool any = false;
  for (const ModelFrame& frame : found.frames()) {
    const ModelFrame* expected = Find(frame.extent.begin);
    if (expected == nullptr || expected->extent != frame.extent || expected->stream != frame.stream ||
        expected->hash != frame.hash) {
      if (MayExist(frame.stream, frame.hash)) continue;
      if (expected != nullptr && expected->extent == frame.extent) return Violation{"wrong-bytes", Show(frame)};
      return Violation{"invented-frame", Show(frame)};
    }
    const auto index = static_cast<std::size_t>(expected - frames_.data());
    if (any && index < next) return Violation{"order-changed", Show(frame)};
    for (std::size_t missing = next; missing < index; ++missing) {
      const ModelFrame& gone = frames_[missing];
      if (gone.extent.end <= given_back_ || found.Covers(gone.extent)) continue;
      if (!any && bytes == Bytes::kFileGone) continue;
      const bool acknowledged = gone.extent.end <= acknowledged_;
      return Violation{acknowledged ? "acknowledged-lost" : "hole", Show(gone) + " is missing before " + Show(frame)};
    }
    any = true;
    next = index + 1;
  }
  for (; next < frames_.size(); ++next) {
    const ModelFrame& gone = frames_[next];
    if (gone.extent.end <= given_back_ || found.Covers(gone.extent)) continue;
    if (!any && bytes == Bytes::kFileGone) continue;
    if (gone.extent.end <= acknowledged_) return Violation{"acknowledged-lost", Show(gone) + " is missing at the end"};
    if (after == After::kProcessDeath) return Violation{"staged-lost", Show(gone) + " is missing at the end"};
  }
  return std::nullopt;
}

void WalModel::Adopt(const RecoveredFrames& found) {
  for (const ModelFrame& frame : frames_) {
    const bool kept =
        std::ranges::any_of(found.frames(), [&](const ModelFrame& one) { return one.extent == frame.extent; });
    if (!kept && frame.extent.end <= given_back_) recycled_.push_back({frame.stream, frame.hash});
  }
  frames_ = found.frames();
  maybe_.clear();
}

}  // namespace millrace::sim
