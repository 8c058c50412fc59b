// Any bytes to a connection without a socket, over a log in memory: it answers or closes, holds no more than its
// budget, and gives all of it back. The first byte says how the stream is cut.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "engine/group_access.h"
#include "engine/partition_access.h"
#include "env/seeded_random.h"
#include "env/sim/sim_file_system.h"
#include "env/thread_pool.h"
#include "millrace/engine.h"
#include "server/fake_turn_loop.h"
#include "server/kafka/broker.h"
#include "server/kafka/dispatch.h"
#include "server/kafka/kafka_connection.h"

namespace millrace {
namespace {

constexpr std::uint64_t kBudget = 1 << 20;

/// Made once: what a stream leaves in the log belongs to the next one's past.
struct World {
  World() {
    EngineOptions options;
    options.data_dir = "/data";
    options.file_system = std::make_shared<SimFileSystem>(1);
    options.object_store = options.metadata_store = "memory:";
    options.wal_bytes_max = 64 << 20;
    engine = *Engine::Open(options);
    if (!engine->CreateTopic("t", {.partitions = 2})) std::abort();
    log = std::make_unique<PartitionAccess>(*engine);
    admin = *ThreadPool::Start({.threads = 1, .queue_max = 1'000});
    cold = *ThreadPool::Start({.threads = 1, .queue_max = 1'000});
    group_access = std::make_unique<GroupAccess>(*engine);
    groups = std::make_unique<GroupDesk>(
        GroupDesk::Parts{
            .access = *group_access, .home = loop, .pool = *admin, .random = random, .tell = [](std::string_view) {}},
        GroupSettings{.initial_delay = std::chrono::milliseconds(0), .members_max = 10, .groups_max = 100});
    if (!groups->Load()) std::abort();
    broker = std::make_unique<Broker>(Broker::Parts{.engine = *engine,
                                                    .log = *log,
                                                    .loop = loop,
                                                    .admin = *admin,
                                                    .cold = *cold,
                                                    .cold_bytes = cold_bytes,
                                                    .session_bytes = session_bytes,
                                                    .groups = *groups},
                                      BrokerSettings{}, [](std::string_view) {});
  }

  FakeTurnLoop loop;
  FramePool frames{4 << 20};
  ByteBudget in_flight{kBudget}, cold_bytes{64 << 20}, session_bytes{1 << 20};
  std::unique_ptr<Engine> engine;
  std::unique_ptr<PartitionAccess> log;
  std::unique_ptr<ThreadPool> admin, cold;
  SeededRandom random{1};
  std::unique_ptr<GroupAccess> group_access;
  std::unique_ptr<GroupDesk> groups;
  std::unique_ptr<Broker> broker;
};

World& TheWorld() {
  static World* const world = new World;  // never destroyed: threads of the log run until the end
  return *world;
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  if (size == 0) return 0;
  World& world = TheWorld();
  const std::size_t piece = std::size_t{*data} + 1;
  std::span<const std::byte> left = std::as_bytes(std::span(data + 1, size - 1));
  {
    auto connection = std::make_shared<KafkaConnection>(
        world.loop, world.frames, world.in_flight,
        ConnectionLimits{.request_bytes_max = 256 << 10, .bytes_max = 512 << 10},
        [&world](const RequestRef& request) { HandleRequest(*world.broker, request); }, "fuzz");
    while (!left.empty() && !connection->over()) {
      const std::span<std::byte> room = connection->Room();
      const std::size_t count = std::min({room.size(), left.size(), piece});
      if (count > 0) {
        std::memcpy(room.data(), left.data(), count);
        connection->Received(count);
        left = left.subspan(count);
      }
      world.broker->Commit();
      const int ran = world.loop.RunPosted();
      connection->outbound().Clear();
      connection->GoOn();
      if (world.in_flight.taken() > kBudget) std::abort();
      if (count == 0 && ran == 0) break;  // it waits for another thread, or for time
    }
    connection->Abandon();
  }
  // What other threads still do for it comes back, and with it the last of its bytes.
  for (int tries = 0; world.in_flight.taken() != 0; ++tries) {
    world.broker->Commit();
    if (!world.loop.RunNext() || tries > 1'000) std::abort();
  }
  return 0;
}
