// Goal: every object store, bare or under each decorator without faults, means the same by every call of the seam.
// Method: one suite over all of them; each test opens a fresh store.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "env/posix_file_system.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "env/temporary_directory.h"
#include "store/faulty_object_store.h"
#include "store/local_dir_object_store.h"
#include "store/memory_object_store.h"
#include "store/metered_object_store.h"
#include "store/object_store_conformance_testing.h"
#include "store/retrying_object_store.h"

namespace millrace {
namespace {

struct Bench : ObjectStoreBench {
  SimClock clock;
  SeededRandom random{1};
  std::unique_ptr<FileSystem> file_system;
  std::optional<TemporaryDirectory> scratch;
  ~Bench() override { store.reset(); }
};

std::shared_ptr<ObjectStore> OpenDir(const std::filesystem::path& root, Bench& bench) {
  auto opened = LocalDirObjectStore::Open(root, *bench.file_system, bench.random);
  if (!opened) ADD_FAILURE() << opened.error().ToString();
  return opened ? std::shared_ptr<ObjectStore>(*std::move(opened)) : nullptr;
}

void OpenPosix(Bench& bench) {
  bench.scratch.emplace();
  bench.file_system = std::make_unique<PosixFileSystem>();
  bench.store = OpenDir(bench.scratch->path() / "objects", bench);
}

void OpenSim(Bench& bench) {
  bench.file_system = std::make_unique<SimFileSystem>(1);
  bench.store = OpenDir("/data/objects", bench);
}

void OpenMemory(Bench& bench) { bench.store = std::make_shared<MemoryObjectStore>(&bench.clock); }

/// `open` puts a fresh store into the bench it is given.
ObjectStoreContender Contender(std::string name, void (*open)(Bench&), const ObjectStoreTraits& traits = {}) {
  return {std::move(name),
          [open] {
            auto bench = std::make_unique<Bench>();
            open(*bench);
            return bench;
          },
          traits};
}

const ObjectStoreContender kContenders[] = {
    Contender("LocalDirPosix", OpenPosix),
    Contender("LocalDirSim", OpenSim),
    Contender("Memory", OpenMemory),
    Contender("MeteredMemory",
              [](Bench& bench) {
                OpenMemory(bench);
                bench.store = std::make_shared<MeteredObjectStore>(bench.store);
              }),
    Contender("FaultyMemory",
              [](Bench& bench) {
                OpenMemory(bench);
                bench.store = std::make_shared<FaultyObjectStore>(bench.store, 1);
              }),
    Contender("RetryingMemory",
              [](Bench& bench) {
                OpenMemory(bench);
                bench.store =
                    std::make_shared<RetryingObjectStore>(bench.store, RetryOptions{}, bench.clock, bench.random);
              },
              {.keeps_limits = true}),
    Contender("AllOverLocalDir",
              [](Bench& bench) {
                OpenPosix(bench);
                auto faulty = std::make_shared<FaultyObjectStore>(bench.store, 1);
                auto retrying =
                    std::make_shared<RetryingObjectStore>(faulty, RetryOptions{}, bench.clock, bench.random);
                bench.store = std::make_shared<MeteredObjectStore>(retrying);
              },
              {.keeps_limits = true}),
};

INSTANTIATE_TEST_SUITE_P(Stores, ObjectStoreConformanceTest, testing::ValuesIn(kContenders),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace millrace
