// What one handle has of a cursor.
#pragma once

#include <memory>
#include <utility>

#include "cursor/cursor_state.h"
#include "cursor/handle_calls.h"

namespace millrace {

/// The handle and the table share it, whichever of them lives longer.
struct CursorLease {
  explicit CursorLease(std::shared_ptr<CursorState> state) : state(std::move(state)) {}
  const std::shared_ptr<CursorState> state;
  HandleCalls calls;
};

}  // namespace millrace
