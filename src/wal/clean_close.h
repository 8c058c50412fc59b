// What a log leaves behind when it is closed cleanly, so that the next opening need not look at every frame: where the
// line ended, which files it was in, and a note of the log's user, which stands for all the frames.
//
// The file is believed once, by the next opening, which removes it before it changes anything; and only if the headers
// of all files, the last frame and the staging ring agree with it. Anything else, and the frames are read.
//
//   0  magic u64 ("MRCLOSE2")
//   8  crc u32             over all bytes from 12 on
//   12 file_count u32
//   16 end i64             where the line goes on
//   24 last_frame i64      where the last frame begins; -1: there was none
//   32 note_end i64        no frame of the log's user ends behind it; the note tells of all before
//   40 note_bytes u64
//   48 files               oldest first: generation u64, base i64, payload_end i64
//   ·  note
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "millrace/file_system.h"
#include "millrace/result.h"
#include "wal/wal.h"

namespace millrace {

inline constexpr std::string_view kCleanCloseFileName = "closed";

struct WalCleanClose {
  struct File {
    std::uint64_t generation = 0;
    WalPosition base, payload_end;
    friend bool operator==(const File&, const File&) = default;
  };
  WalPosition end, last_frame, note_end;
  std::vector<File> files;
  std::vector<std::byte> note;
};

std::vector<std::byte> EncodeWalCleanClose(const WalCleanClose& close);
/// None: not whole, or not what its checksum says.
std::optional<WalCleanClose> DecodeWalCleanClose(std::span<const std::byte> bytes);

/// Durable when this returns, whole or not at all.
Result<void> WriteWalCleanClose(FileSystem& file_system, const std::filesystem::path& directory,
                                const WalCleanClose& close);
/// None: there is none that could be believed.
std::optional<WalCleanClose> ReadWalCleanClose(FileSystem& file_system, const std::filesystem::path& directory);
/// It is gone when the directory has been synced. None there is success.
Result<void> RemoveWalCleanClose(FileSystem& file_system, const std::filesystem::path& directory);

}  // namespace millrace
