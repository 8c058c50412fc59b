// The dots of a picture: what a cold scan reaches, by how far ahead it may ask and how far away the store is.
#include <fmt/core.h>

#include <memory>

#include "bench/harness/payloads.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/stored_topic.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::uint64_t kMebibyte = 1u << 20;
constexpr double kSecondsMax = 0.6;

/// MB/s of a scan from the beginning, once its stream has had the time to find its window, or half of the topic.
double SteadyRate(Engine& engine, const StoredTopic& topic, double seconds_to_grow) {
  const Offset grown(topic.records() / 2), end(topic.records());
  Offset at(0);
  const auto read_on = [&] {
    const BatchReadResult result = OrDie(engine.ReadBatches(OpenedEngine::Partition(0), at), "read");
    if (result.next <= at) Die("a read came back empty before the end");
    std::uint64_t bytes = 0;
    for (const SharedBytes& batch : result.batches) bytes += batch.size();
    at = result.next;
    return bytes;
  };
  const Stopwatch growing;
  while (at < grown && growing.seconds() < seconds_to_grow) read_on();
  std::uint64_t bytes = 0;
  const Stopwatch watch;
  while (at < end && watch.seconds() < kSecondsMax) bytes += read_on();
  return static_cast<double>(bytes) / 1e6 / watch.seconds();
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_window", argc, argv);
  constexpr const char* kPicture = "scan-by-window";
  if (!suite.WantsCurve(kPicture)) return 0;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = 16}, payloads.Batch(0, payloads.count()));
  for (const int delay : {10, 30, 60, 120}) {
    store.AnswerLate(std::chrono::milliseconds(delay));
    for (const std::uint64_t window : {1, 2, 4, 8, 16, 32, 64, 128}) {
      EngineOptions options = topic.Options();
      options.read.read_memory_max = 2 * window * kMebibyte;  // a stream alone may have 21/32 of it on its way
      const auto engine = topic.OpenCold(options);
      suite.Plot({kPicture, fmt::format("{} ms", delay), static_cast<double>(window),
                  SteadyRate(**engine, topic, window <= 16 ? 0.4 : 0.012 * delay + 0.8)});
    }
  }
  return 0;
}
