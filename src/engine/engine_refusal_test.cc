// What the system refuses is an error by type, and nothing is left behind. Method: in a process of its own, whose user
// may have few threads; on a simulated disk.
#include <sys/resource.h>
#include <unistd.h>

#include "engine/engine_fixture.h"
#include "env/sim/sim_file_system.h"
#include "millrace/metadata_store.h"
#include "store/memory_object_store.h"

namespace millrace {
namespace {

using EngineRefusalTest = EngineFixture;

/// To be called in a process that ends soon.
void AllowThreads(rlim_t threads) {
  if (::geteuid() == 0 && ::setuid(65'534) != 0) ::_exit(3);  // no limit holds for root
  const rlimit limit = {threads, threads};
  if (::setrlimit(RLIMIT_NPROC, &limit) != 0) ::_exit(3);
}

[[noreturn]] void OpenWithoutThreads(const EngineOptions& options) {
  AllowThreads(1);
  const auto engine = Engine::Open(options);
  if (CodeOf(engine) != ErrorCode::kUnavailable) ::_exit(1);
  if (engine.error().hint().find("ulimit -u") == std::string::npos) ::_exit(2);
  const auto again = Engine::Open(options);
  ::_exit(Told(again).find("held by") == std::string::npos ? 0 : 4);  // no engine holds the directory
}

[[noreturn]] void UseWithFewThreads(const EngineOptions& options, rlim_t allowed) {
  AllowThreads(allowed);
  auto opened = Engine::Open(options);
  if (!opened) ::_exit(CodeOf(opened) == ErrorCode::kUnavailable ? 0 : 1);
  Engine& engine = **opened;
  if (!engine.CreateTopic("t", {.partitions = 3}) || !engine.Append("t", "x")) ::_exit(2);
  const ReadRequest requests[] = {{{"t", PartitionId(0)}, Offset(0)}, {{"t", PartitionId(1)}, Offset(0)}};
  for (const auto& read : engine.ReadMany(requests))
    if (!read && CodeOf(read) != ErrorCode::kUnavailable) ::_exit(3);
  ::_exit(engine.Close() ? 0 : 4);
}

TEST_F(EngineRefusalTest, WithoutThreadsOpenFailsNamingTheLimitAndUndoesEverything) {
  EXPECT_EXIT(OpenWithoutThreads(OnSimulatedDisk()), testing::ExitedWithCode(0), "");
}

TEST_F(EngineRefusalTest, WhicheverThreadIsRefusedOpenSucceedsOrSaysSo) {
  for (rlim_t allowed = 2; allowed < 12; ++allowed)
    EXPECT_EXIT(UseWithFewThreads(OnSimulatedDisk(), allowed), testing::ExitedWithCode(0), "") << allowed;
}

}  // namespace
}  // namespace millrace
