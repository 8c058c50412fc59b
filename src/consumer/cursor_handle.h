// Cursor's inside: one handle on a cursor that others may have open too.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "consumer/cursor_state.h"
#include "consumer/cursor_table.h"
#include "millrace/cursor.h"

namespace millrace {

class Cursor::Implementation {
 public:
  /// `table` outlives it.
  Implementation(CursorTable& table, std::shared_ptr<CursorState> state) : table_(table), state_(std::move(state)) {}

  [[nodiscard]] Result<void> CheckOpen() const {
    if (closed_.load(std::memory_order_acquire)) [[unlikely]]
      return Error(ErrorCode::kClosed, "the cursor is closed");
    return {};
  }
  [[nodiscard]] CursorState& state() const { return *state_; }
  Result<void> Close() {
    if (closed_.exchange(true)) return {};
    return table_.Release(*state_);
  }

 private:
  CursorTable& table_;
  const std::shared_ptr<CursorState> state_;
  std::atomic<bool> closed_{false};
};

}  // namespace millrace
