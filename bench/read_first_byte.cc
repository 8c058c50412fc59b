// The first bytes of a seek into history that is only in the object store, against one raw GET of the same range.
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "bench/harness/payloads.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/stored_topic.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::size_t kSegments = 8, kReads = 16;

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

/// Seeks that each come to bytes no reader has read before, and what they made the engine ask for.
class Seeks {
 public:
  explicit Seeks(const StoredTopic& topic) : topic_(topic) {}

  /// Milliseconds until 100 records from `offset` are there.
  double Seek(OpenedEngine& engine, Offset offset, std::uint64_t requests) {
    const Stopwatch watch;
    const ReadResult result = OrDie(engine->Read(OpenedEngine::Partition(0), offset, {.records_max = 100}), "read");
    const double took = watch.milliseconds();
    if (result.records.empty() || result.explanation.ranges.empty()) Die("a cold seek brought nothing");
    if (result.explanation.requests != requests)
      Die(fmt::format("a cold seek made {} requests, not {}", result.explanation.requests, requests));
    for (std::size_t i = 0; i < result.records.size(); ++i)
      topic_.Check(result.records[i], offset + static_cast<std::int64_t>(i));
    ranges_.push_back(result.explanation.ranges.back());
    return took;
  }
  /// The same ranges again, one raw GET each: the median in milliseconds.
  double Raw(ObjectStore& store) {
    std::vector<double> took;
    for (const ReadExplanation::Range& range : std::exchange(ranges_, {})) {
      const Stopwatch watch;
      const SharedBytes got = OrDie(store.Get(range.object, {range.offset, range.length}), "raw get");
      took.push_back(watch.milliseconds());
      if (got.size() != range.length) Die("a raw get came short");
      last_ = range;
    }
    if (!took.empty()) return Median(std::move(took));
    for (std::size_t i = 0; i < kReads; ++i) ranges_.push_back(last_);  // the second half of an alternation
    return Raw(store);
  }

 private:
  const StoredTopic& topic_;
  std::vector<ReadExplanation::Range> ranges_;
  ReadExplanation::Range last_;
};

constexpr std::int64_t kBatch = 256;  // records; a block holds one batch here, a chunk at most four

/// Shuffled places, each in a chunk of its own, the hundred records from there in one block.
std::vector<Offset> Places(const StoredTopic& topic, std::uint64_t seed) {
  std::vector<Offset> places;
  for (const SegmentDescription& segment : topic.segments()) {  // its first chunk is read to open it
    for (Offset at = segment.base + (5 * kBatch + kBatch / 4); at + kBatch < segment.end; at = at + 5 * kBatch)
      places.push_back(at);
  }
  std::mt19937_64 random(seed);
  std::ranges::shuffle(places, random);
  return places;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read_first_byte", argc, argv);
  const Row warm{"cold first byte, index cached",
                 "ms",
                 "100 records from a random offset whose chunk nobody has read, 64 MiB segments of 1 KiB random "
                 "records, 30 ms and 80 MB/s a connection, median of 16 seeks, one GET each (checked); raw: one GET of "
                 "the same range",
                 Better::kLower,
                 {{1, 1.2}}};
  const Row cold{"cold first byte, index not cached",
                 "ms",
                 "the same by a fresh engine over an empty cache, one seek a segment, two GETs each (checked)",
                 Better::kLower,
                 {{1, 2.2}}};
  if (!suite.Wants(warm) && !suite.Wants(cold)) return 0;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  FarStore store(suite.seed());
  const StoredTopic topic(store, suite.FreshDirectory("topic"), {.segments = kSegments},
                          payloads.Batch(0, payloads.count()));
  const auto raw = store.Connect(Client::kOfEngine);
  store.AnswerLate();
  Seeks seeks(topic);
  std::vector<Offset> places = Places(topic, suite.seed());
  {
    const auto engine = topic.OpenCold();
    for (const SegmentDescription& segment : topic.segments())
      OrDie((*engine)->Read(OpenedEngine::Partition(0), segment.base, {.records_max = 1}), "read");
    suite.Compare(warm, {{"millrace Engine::Read",
                          [&] {
                            std::vector<double> took;
                            for (std::size_t i = 0; i < kReads; ++i) {
                              if (places.empty()) Die("too many rounds for the size of the topic");
                              took.push_back(seeks.Seek(*engine, places.back(), 1));
                              places.pop_back();
                            }
                            return Median(std::move(took));
                          }},
                         {"one raw GET", [&] { return seeks.Raw(*raw); }}});
  }
  std::mt19937_64 random(suite.seed());
  suite.Compare(cold, {{"millrace Engine::Read",
                        [&] {
                          const auto engine = topic.OpenCold();
                          std::vector<double> took;
                          for (const SegmentDescription& segment : topic.segments()) {
                            const auto batch = static_cast<std::int64_t>(
                                random() % static_cast<std::uint64_t>((segment.end - segment.base) / kBatch));
                            took.push_back(seeks.Seek(*engine, segment.base + batch * kBatch + kBatch / 4, 2));
                          }
                          return Median(std::move(took));
                        }},
                       {"one raw GET", [&] { return seeks.Raw(*raw); }}});
  return 0;
}
