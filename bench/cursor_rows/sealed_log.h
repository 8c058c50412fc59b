// Logs that a cursor reads, filled with entries that tell their number: sealed in segments, or fresh in the tail.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bench/cursor_rows/cursor_rows.h"
#include "millrace/cursor.h"

namespace millrace::bench {

/// Every entry must have come, once, in order and unaltered; else ends the program.
void Require(const Delivery& delivery);

/// Each reading is by a new cursor, from the first entry, and verified off the clock.
class CursorLog {
 public:
  CursorLog(const Suite& suite, std::string_view name, std::uint64_t records, std::size_t batch);

  [[nodiscard]] OpenedEngine& engine() { return engine_; }

  /// Entries/s over the first `count`.
  double BatchRate(ReadConsistency mode, std::uint64_t bytes_max, std::uint64_t count, Delivery& delivery);
  double SingleRate(ReadConsistency mode, std::uint64_t count, Delivery& delivery);
  /// `count` peeks of the first entry.
  double PeekRate(ReadConsistency mode, std::uint64_t count, Delivery& delivery);
  /// `threads` share one cursor and take `count` entries together.
  double SharedRate(ReadConsistency mode, std::size_t threads, std::uint64_t count, Delivery& delivery);

 private:
  std::unique_ptr<Cursor> NewCursor(ReadConsistency mode);

  const NumberedPayloads payloads_;
  OpenedEngine engine_;
  std::uint64_t cursors_ = 0;
};

class SealedLog final : public CursorLog {
 public:
  SealedLog(const Suite& suite, std::uint64_t records, std::size_t batch);
};

class TailLog final : public CursorLog {
 public:
  TailLog(const Suite& suite, std::uint64_t records, std::size_t batch) : CursorLog(suite, "tail", records, batch) {}
};

}  // namespace millrace::bench
