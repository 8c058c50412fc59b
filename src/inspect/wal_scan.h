// One WAL file looked at without an engine: its header, its frames, and what is wrong. Changes nothing, so that it may
// look at a log that is in use.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspect/inspection_report.h"
#include "millrace/bytes.h"
#include "wal/file_header.h"
#include "wal/frame.h"

namespace millrace {

struct ScannedFrame {
  WalFrameHeader header;
  std::uint64_t offset = 0;  // in the file
  [[nodiscard]] FileRange range() const { return {offset, offset + WalFrameBytes(header.payload_bytes)}; }
};

/// A place where a frame should stand and none does.
struct ScannedGap {
  FileRange range;
  std::string reason;
  WalPosition position;  // where on the line it begins
};

struct WalScan {
  std::optional<WalFileHeader> header;
  std::vector<FileRange> bad_header_copies;  // of two; a good one is enough
  std::vector<ScannedFrame> frames;
  std::vector<ScannedGap> gaps;  // between frames that are there
  ScannedGap tail;               // what follows the last frame
  WalPosition frames_end;        // on the line
  WalPosition synced_to;         // the furthest place that a frame here knows as synced
};

/// Does it look like a WAL file? By either copy of its header.
bool LooksLikeWal(std::span<const std::byte> bytes);

/// Cost: one pass. Trusts nothing.
WalScan ScanWalFile(std::span<const std::byte> bytes);

/// The gaps and the tail that some file knows as synced: these cannot be told from damage. `successor` is the header of
/// the file that follows on the line, `synced_to` the furthest place known as synced in any file.
std::vector<ScannedGap> DamageOf(const WalScan& scan, const WalFileHeader* successor, WalPosition synced_to);

}  // namespace millrace
