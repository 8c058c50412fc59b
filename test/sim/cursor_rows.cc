#include "cursor_rows.h"

#include "cursor_world.h"

namespace millrace::sim {
namespace {

constexpr int kSteps = 60;

}  // namespace

void RunCursorWorld(std::uint64_t seed, Report& report) {
  CursorWorld world(seed, report);
  world.Live(kSteps);
  world.HealAndJudge();
}

}  // namespace millrace::sim
