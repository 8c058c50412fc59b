#include "cursor/position_log_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/try.h"
#include "cursor/position_file.h"
#include "cursor/position_log_format.h"

namespace millrace {
namespace {

/// A file's bytes and what stands where, before recovery believes any of it.
struct Image {
  std::string name;
  std::unique_ptr<std::byte[]> memory;
  std::span<const std::byte> bytes;
  std::uint64_t generation = 0;                // the highest of its whole frames
  std::uint64_t last_begin = 0, last_end = 0;  // blocks of its last frame of that generation

  [[nodiscard]] std::uint64_t blocks() const { return bytes.size() / kPositionBlockBytes; }
  [[nodiscard]] Result<std::optional<PositionFrame>> At(std::uint64_t block) const {
    return FindPositionFrame(bytes.subspan(block * kPositionBlockBytes), block);
  }
};

Result<Image> ReadImage(FileSystem& file_system, const std::filesystem::path& path) {
  MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(path, {}));
  MR_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  Image image{.name = path.filename().string()};
  image.memory = std::make_unique_for_overwrite<std::byte[]>(size);
  const std::span<std::byte> memory(image.memory.get(), size);
  MR_ASSIGN_OR_RETURN(const std::size_t read, file->ReadAt(0, memory));
  image.bytes = memory.first(read);
  return image;
}

/// Looks at every block, whole frames stepped over, so that nothing hides behind damage.
Result<void> Survey(Image& image) {
  for (std::uint64_t block = 0; block < image.blocks();) {
    MR_ASSIGN_OR_RETURN(const auto frame, image.At(block));
    if (!frame) {
      ++block;
      continue;
    }
    const std::uint64_t begin = std::exchange(block, block + frame->blocks);
    if (frame->header.generation < image.generation) continue;
    image.generation = frame->header.generation;
    image.last_begin = begin;
    image.last_end = block;
  }
  return {};
}

Error Damage(const Image& image, std::uint64_t block, std::uint64_t end_block, std::string_view why) {
  const std::uint64_t begin = block * kPositionBlockBytes;
  const std::uint64_t end = std::max(end_block * kPositionBlockBytes, begin);
  return Error(ErrorCode::kCorruption, fmt::format("{}: bytes [{}, {}): {}", image.name, begin, end, why),
               "positions are lost from there on; move the directory `positions` away to let cursors start anew")
      .WithDamage({.place = image.name, .byte_begin = begin, .byte_end = end});
}

/// Everything from block 0 to the last frame of the file's generation must be there.
Result<void> Replay(const Image& image, PositionTable& table) {
  for (std::uint64_t block = 0; block < image.last_end;) {
    MR_ASSIGN_OR_RETURN(const auto frame, image.At(block));
    const auto kind = block == 0 ? PositionFrameKind::kSnapshot : PositionFrameKind::kUpdate;
    if (!frame || frame->header.generation != image.generation || frame->header.kind != kind)
      return Damage(image, block, image.last_end, "a frame is damaged, and later ones are whole");
    const std::uint64_t end = block + frame->blocks;
    auto entries = DecodePositionEntries(*frame);
    if (!entries) return Damage(image, block, end, entries.error().message());
    for (const PositionEntry& entry : *entries)
      if (auto applied = table.Apply(entry); !applied) return Damage(image, block, end, applied.error().message());
    table.KeepIdsBelow(frame->header.next_id);
    block = end;
  }
  return {};
}

/// The last frame may be in the page cache alone: written and never synced by a process that was killed, or left there
/// by a sync that failed, after which syncing again would not write it. It was found, so it counts: it is written once
/// more. The names may not be on the disk either. Whatever lies before was synced before it was written.
Result<void> MakeDurable(FileSystem& file_system, const std::filesystem::path& directory, const Image& image) {
  MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(directory / image.name, {.access = FileAccess::kReadWrite}));
  const std::uint64_t begin = image.last_begin * kPositionBlockBytes, end = image.last_end * kPositionBlockBytes;
  MR_TRY(file->WriteAt(begin, image.bytes.subspan(begin, end - begin)));
  MR_TRY(file->Sync());
  return file_system.SyncDirectory(directory);
}

Result<std::vector<std::string>> NamesIn(FileSystem& file_system, const std::filesystem::path& directory) {
  std::vector<std::string> names;
  auto listed = file_system.List(directory);
  if (!listed && listed.error().code() == ErrorCode::kNotFound) return names;
  if (!listed) return std::move(listed).error();
  for (const DirectoryEntry& entry : *listed) names.push_back(entry.name);
  return names;
}

}  // namespace

Result<RecoveredPositions> RecoverPositions(FileSystem& file_system, const std::filesystem::path& directory) {
  RecoveredPositions recovered;
  MR_ASSIGN_OR_RETURN(const auto names, NamesIn(file_system, directory));
  for (const std::string& name : names)
    if (name.ends_with(kPositionFileNew)) (void)file_system.Remove(directory / name);  // else the next one does
  std::array<Image, 2> images;
  for (std::size_t slot = 0; slot < images.size(); ++slot) {
    recovered.present[slot] = std::ranges::find(names, kPositionFileNames[slot]) != names.end();
    if (!recovered.present[slot]) continue;
    MR_ASSIGN_OR_RETURN(images[slot], ReadImage(file_system, directory / kPositionFileNames[slot]));
    MR_TRY(Survey(images[slot]));
    if (images[slot].generation > recovered.generation) {
      recovered.generation = images[slot].generation;
      recovered.newest = slot;
    }
  }
  if (!recovered.newest) {
    for (std::size_t slot = 0; slot < images.size(); ++slot)
      if (recovered.present[slot]) return Damage(images[slot], 0, images[slot].blocks(), "no frame is whole");
    return recovered;
  }
  MR_TRY(Replay(images[*recovered.newest], recovered.table));
  MR_TRY(MakeDurable(file_system, directory, images[*recovered.newest]));
  return recovered;
}

}  // namespace millrace
