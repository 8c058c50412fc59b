// Opened, closed, and what is between: its state. The other calls are defined by what they are about, in engine_*.cc.
#include "millrace/engine.h"

#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "engine/engine_state.h"

namespace millrace {

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) { MR_CHECK(state_ != nullptr); }
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::Open(EngineOptions options) noexcept {
  MR_ASSIGN_OR_RETURN(auto state, State::Open(std::move(options), Background::kThreads));
  return State::Wrap(std::move(state));
}

Result<void> Engine::Close() noexcept { return state_->Close(); }

}  // namespace millrace
