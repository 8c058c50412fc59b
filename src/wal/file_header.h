// The first 4 KiB of a WAL file: what the file is for. Two equal copies (at 0 and at 2,048), so that one bad sector or
// a flipped bit is repaired, not suffered.
//
//   0  magic u64 ("MRWALv01")
//   8  crc u32             over bytes 12..64
//   12 state u32           1 free: in the pool, its generation is reserved; 2 live: holds frames
//   16 generation u64      of all its frames; never used again in this directory
//   24 base i64            position of the byte at file offset 4,096, a multiple of 4,096
//   32 capacity u64        bytes for frames; the file is 4,096 longer
//   40 predecessor_generation u64   0: none
//   48 predecessor_end i64 where the line leaves the predecessor and enters this file: what the predecessor holds from
//                          there on is void, and all before was synced when this header was written
//   56 last_frame i64      where the last frame before predecessor_end begins; -1: there is none
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "wal/frame.h"
#include "wal/wal.h"

namespace millrace {

inline constexpr std::uint64_t kWalFileHeaderBytes = kWalBlockBytes;

enum class WalFileState : std::uint32_t { kFree = 1, kLive = 2 };

struct WalFileHeader {
  WalFileState state = WalFileState::kFree;
  std::uint64_t generation = 0;
  WalPosition base;
  std::uint64_t capacity = 0;
  std::uint64_t predecessor_generation = 0;
  WalPosition predecessor_end;
  WalPosition last_frame{-1};
  friend bool operator==(const WalFileHeader&, const WalFileHeader&) = default;
};

/// `out` is one whole block.
void EncodeWalFileHeader(const WalFileHeader& header, std::span<std::byte, kWalFileHeaderBytes> out);
/// The first copy that is valid. None: neither is.
std::optional<WalFileHeader> DecodeWalFileHeader(std::span<const std::byte> block);

}  // namespace millrace
