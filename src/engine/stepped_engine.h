// An engine without threads: its holder makes the steps that threads would make. For tests, the simulator and
// benchmarks in virtual time.
#pragma once

#include <memory>
#include <utility>

#include "base/try.h"
#include "engine/engine_state.h"

namespace millrace {

/// Points to its engine as a unique_ptr does; the steps are its own. One thread.
class SteppedEngine {
 public:
  /// Errors as Engine::Open.
  static Result<SteppedEngine> Open(EngineOptions options, std::shared_ptr<Random> random = {},
                                    const StorageSizes& sizes = {}) {
    MR_ASSIGN_OR_RETURN(auto state,
                        Engine::State::Open(std::move(options), Background::kNone, std::move(random), sizes));
    return SteppedEngine(std::move(state));
  }
  SteppedEngine() = default;

  [[nodiscard]] explicit operator bool() const { return engine_ != nullptr; }
  Engine& operator*() const { return *engine_; }
  Engine* operator->() const { return engine_.get(); }
  void reset() {
    state_ = nullptr;
    engine_.reset();
  }

  [[nodiscard]] HousekeeperSteps steps() const { return state_->steps(); }
  [[nodiscard]] Housekeeper& housekeeper() const { return state_->housekeeper(); }
  [[nodiscard]] Prefetcher& prefetcher() const { return state_->prefetcher(); }
  /// Precondition: it follows a log.
  [[nodiscard]] LogFollower& follower() const { return *state_->follower(); }

 private:
  explicit SteppedEngine(std::unique_ptr<Engine::State> state)
      : state_(state.get()), engine_(Engine::State::Wrap(std::move(state))) {}

  Engine::State* state_ = nullptr;  // the engine's
  std::unique_ptr<Engine> engine_;
};

}  // namespace millrace
