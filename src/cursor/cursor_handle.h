// Cursor's inside: one handle on a cursor that others may have open too.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "base/call_gate.h"
#include "cursor/cursor_lease.h"
#include "cursor/cursor_state.h"
#include "cursor/handle_calls.h"
#include "millrace/cursor.h"
#include "millrace/result.h"

namespace millrace {

class Cursor::Implementation {
 public:
  /// Gives the lease back to the table it is from.
  using Release = std::function<Result<void>(const CursorLease& lease)>;
  /// The table, and what the lease's state refers to, are there as long as `engine` lets a call pass.
  Implementation(Release release, std::shared_ptr<CallGate> engine, std::shared_ptr<CursorLease> lease)
      : release_(std::move(release)), engine_(std::move(engine)), lease_(std::move(lease)) {}

  /// A call under way: neither the engine nor the handle goes before it has ended.
  class Inside {
   public:
    explicit Inside(const Implementation& handle)
        : engine_(handle.engine_.get()), handle_(engine_ ? handle.lease_->calls.Enter() : HandleCalls::Pass(nullptr)) {}
    [[nodiscard]] Result<void> Check() const {
      if (!engine_) [[unlikely]]
        return Error(ErrorCode::kClosed, "the engine is closed");
      if (!handle_) [[unlikely]]
        return Error(ErrorCode::kClosed, "the cursor is closed");
      return {};
    }

   private:
    const CallGate::Pass engine_;
    const HandleCalls::Pass handle_;
  };

  [[nodiscard]] CursorState& state() const { return *lease_->state; }
  [[nodiscard]] const HandleCalls& calls() const { return lease_->calls; }
  /// Ends waits, waits for calls, then gives the handle back.
  Result<void> Close() {
    lease_->calls.Shut();
    lease_->state->Ring();
    lease_->calls.AwaitEmpty();
    if (closed_.exchange(true)) return {};
    const CallGate::Pass pass(engine_.get());
    if (!pass) return {};  // the engine persists, or has persisted, what was returned
    return release_(*lease_);
  }

 private:
  const Release release_;
  const std::shared_ptr<CallGate> engine_;
  const std::shared_ptr<CursorLease> lease_;
  std::atomic<bool> closed_{false};
};

}  // namespace millrace
