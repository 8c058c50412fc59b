// What many readers of the same history cost together: requests, and time.
#include <fmt/core.h>

#include <memory>
#include <utility>
#include <vector>

#include "bench/harness/payloads.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/stored_topic.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::uint64_t kMebibyte = 1u << 20;

/// All batches of the topic; dies at a gap.
void ReadBatches(Engine& engine, const StoredTopic& topic) {
  std::uint64_t batches = 0;
  for (Offset at(0); at < Offset(topic.records());) {
    const BatchReadResult result = OrDie(engine.ReadBatches(OpenedEngine::Partition(0), at), "read");
    if (result.batches.empty() || result.next <= at) Die("a read came back empty before the end");
    batches += result.batches.size();
    at = result.next;
  }
  if (batches != static_cast<std::uint64_t>(topic.records()) / 256) Die("batches are missing");
}

struct Cost {
  double gets = 0, milliseconds = 0;
};

Cost ReadTogether(FarStore& store, const StoredTopic& topic, std::size_t readers) {
  const auto engine = topic.OpenCold();
  const SimS3Counts before = store.Counts();
  const double seconds = TimeThreads(readers, [&](std::size_t) { ReadBatches(**engine, topic); });
  return {static_cast<double>(GetsSince(before, store.Counts())), seconds * 1e3};
}

void MeasureTogether(Suite& suite) {
  constexpr const char* kWorkload =
      "100 threads start Engine::ReadBatches of 1 MiB on one cold segment of 64 MiB and read all of it, 1 KiB random "
      "records, 30 ms and 80 MB/s a connection, caches empty; beside it one thread";
  const Row gets{"100 readers of one cold segment, requests", "GETs", kWorkload, Better::kLower, {{1, 1.05}}};
  const Row time{"100 readers of one cold segment, time", "ms", kWorkload, Better::kLower, {{1, 1.2}}};
  if (!suite.Wants(gets) && !suite.Wants(time)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {}, payloads.Batch(0, payloads.count()));
  store.AnswerLate();
  suite.Compare(gets, {{"100 readers", [&] { return ReadTogether(store, topic, 100).gets; }},
                       {"1 reader", [&] { return ReadTogether(store, topic, 1).gets; }}});
  suite.Compare(time, {{"100 readers", [&] { return ReadTogether(store, topic, 100).milliseconds; }},
                       {"1 reader", [&] { return ReadTogether(store, topic, 1).milliseconds; }}});
}

/// Reads on from where it stopped, a MiB at a time.
class Follower {
 public:
  Follower(Engine& engine, Offset end) : engine_(engine), end_(end) {}
  /// False: at the end.
  bool ReadOn() {
    if (at_ >= end_) return false;
    const BatchReadResult result = OrDie(engine_.ReadBatches(OpenedEngine::Partition(0), at_), "read");
    if (result.next <= at_) Die("a read came back empty before the end");
    at_ = result.next;
    return true;
  }
  [[nodiscard]] Offset at() const { return at_; }

 private:
  Engine& engine_;
  const Offset end_;
  Offset at_{0};
};

void MeasureFollowing(Suite& suite) {
  const Row behind{"second consumer ten minutes behind, requests",
                   "GETs",
                   "a partition written at 120 KB/s, 256 MiB of it; ten minutes are 72 MB, the disk cache holds 128 "
                   "MiB and reads may take 64 MiB of memory (the defaults, for 1 MB/s: 1 GiB and 256 MiB), both read "
                   "1 MiB in turn, block cache 8 MiB; beside it one consumer alone",
                   Better::kLower,
                   {{1, 1.05}}};
  const Row groups{"8 groups replaying together, requests",
                   "GETs",
                   "256 MiB in segments of 64 MiB, 8 readers in turn 1 MiB each, caches as above; beside it one alone",
                   Better::kLower,
                   {{1, 1.05}},
                   Rounds::kOne};
  if (!suite.Wants(behind) && !suite.Wants(groups)) return;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = 4}, payloads.Batch(0, payloads.count()));
  EngineOptions options = topic.Options();
  options.read.cache_max_size = 128 * kMebibyte;
  // Scaled down with the cache: what the first reader has ahead of it lies there, too.
  options.read.read_memory_max = 64 * kMebibyte;
  options.read.block_cache_max_size = 8 * kMebibyte;
  const auto gets_of = [&](std::size_t readers, std::int64_t lag) {
    options.objects = store.Connect(Client::kOfEngine);
    const auto engine = topic.OpenCold(options);
    const SimS3Counts before = store.Counts();
    std::vector<Follower> followers(readers, Follower(**engine, Offset(topic.records())));
    for (bool reading = true; reading;) {
      reading = false;
      for (std::size_t i = 0; i < readers; ++i) {
        const bool waits =
            i > 0 && followers[i - 1].at() - followers[i].at() < lag && followers[i - 1].at() < Offset(topic.records());
        reading |= waits || followers[i].ReadOn();
      }
    }
    const CacheStats cache = (*engine)->Stats().segment_cache;
    fmt::print("  {} readers: disk cache {} hits, {} misses, {} evictions, {} of {} MiB\n", readers, cache.hits,
               cache.misses, cache.evictions, cache.bytes / kMebibyte, cache.bytes_max / kMebibyte);
    return static_cast<double>(GetsSince(before, store.Counts()));
  };
  suite.Compare(behind, {{"two consumers", [&] { return gets_of(2, 72'000'000 / 1024); }},
                         {"one consumer", [&] { return gets_of(1, 0); }}});
  suite.Compare(groups, {{"8 groups", [&] { return gets_of(8, 0); }}, {"one group", [&] { return gets_of(1, 0); }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_sharing", argc, argv);
  MeasureTogether(suite);
  MeasureFollowing(suite);
  return 0;
}
