// The front door: every public call of Engine comes in here. It counts as in flight while it is inside, so that Close
// can refuse the next and wait for the last.
#pragma once

#include "base/call_gate.h"
#include "base/try.h"
#include "engine/engine_state.h"

namespace millrace {

/// `call`, which gets the state, unless the engine is closed.
template <class Call>
auto Inside(Engine::State& state, const Call& call) -> decltype(call(state)) {
  const CallGate::Pass pass(&state.calls());
  if (!pass) return ClosedError();
  return call(state);
}

/// The same for a call that changes the log.
template <class Call>
auto Changing(Engine::State& state, const Call& call) -> decltype(call(state)) {
  return Inside(state, [&](Engine::State& inside) -> decltype(call(inside)) {
    MR_TRY(inside.CheckWritable());
    return call(inside);
  });
}

}  // namespace millrace
