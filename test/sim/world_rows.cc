#include "world_rows.h"

#include "world.h"

namespace millrace::sim {
namespace {

constexpr int kSteps = 160;

}  // namespace

void RunWorld(std::uint64_t seed, Report& report) {
  World world(seed, DrawWorldOptions(seed), report);
  world.Live(kSteps);
  world.HealAndJudge();
}

}  // namespace millrace::sim
