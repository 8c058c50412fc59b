// From nothing to the first durable receipt, and opening when metadata holds a million segments.
#include <fmt/core.h>

#include "bench/harness/many_segments.h"
#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"
#include "env/posix_file_system.h"
#include "meta/catalog.h"
#include "meta/sqlite_metadata_store.h"

using namespace millrace;
using namespace millrace::bench;

int main(int argc, char** argv) {
  Suite suite("open", argc, argv);
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte, 1);
  suite.Compare({"first durable receipt in an empty directory",
                 "ms",
                 "Engine::Open, CreateTopic, one kDisk append of 1 KiB",
                 Better::kLower,
                 {{{}, 30}}},
                {{"millrace", [&] {
                    const auto directory = suite.FreshDirectory("engine");
                    const Stopwatch watch;
                    OpenedEngine engine(QuietOptions(directory), 1);
                    engine.Append(OpenedEngine::Partition(0), {&payloads.record(0), 1}, Durability::kDisk);
                    return watch.milliseconds();
                  }}});

  const Row many{
      "clean open with 1 M segments",
      "ms",
      "Engine::Open of a closed directory, 1 M segments of one partition in SQLite, then the first durable append",
      Better::kLower,
      {{{}, 1000}}};
  if (!suite.Wants(many)) return 0;
  EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
  const auto database = std::filesystem::absolute(options.data_dir) / "bench.sqlite";
  options.metadata_store = "sqlite://" + database.string();
  {
    const OpenedEngine engine(options, 1);
  }
  {
    PosixFileSystem file_system;
    auto metadata = OrDie(SqliteMetadataStore::Open(database, file_system), "metadata");
    const auto topics = OrDie(Catalog(*metadata).Topics(), "topics");
    CommitManySegments(*metadata, {topics.at(0).id, PartitionId(0)}, 1'000'000);
    OrDie(metadata->Close(), "close");
  }
  suite.Compare(many, {{"millrace", [&] {
                          const Stopwatch watch;
                          OpenedEngine engine(options, 1);
                          engine.Append(OpenedEngine::Partition(0), {&payloads.record(0), 1}, Durability::kDisk);
                          return watch.milliseconds();
                        }}});
  return 0;
}
