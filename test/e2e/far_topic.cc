#include "test/e2e/far_topic.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "env/seeded_random.h"
#include "env/system_clock.h"
#include "http/curl_transport.h"
#include "test/s3/s3_stores.h"

namespace millrace {
namespace {

/// The world of a test has to stand before anything can be tested.
template <class T>
T Must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "far topic: %s\n", result.error().ToString().c_str());
    std::abort();
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

const Clock& MachineClock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace

std::string FarValue(std::uint64_t generation, Offset offset) {
  SeededRandom random(SeededRandom::Mix(generation * 1'000'003 + static_cast<std::uint64_t>(offset.value())));
  std::string value(400 + random.Next() % 1001, '\0');
  for (std::size_t i = 0; i < value.size(); i += 8) {
    const std::uint64_t word = random.Next();
    std::memcpy(&value[i], &word, std::min<std::size_t>(8, value.size() - i));
  }
  return value;
}

EngineOptions FarOptions(const std::filesystem::path& directory, std::uint16_t port) {
  EngineOptions options;
  options.data_dir = directory / "data";
  options.sync = SyncPolicy::None();
  options.upload.segment_age_max = std::chrono::hours(24);
  options.read.cache_dir = directory / "cache";
  options.read.cache_max_size = 8 << 20;
  options.read.block_cache_max_size = 0;
  options.objects = OpenS3({.port = port}, "", std::make_shared<CurlTransport>(MachineClock()), MachineClock());
  return options;
}

void MakeFarTopic(Engine& engine, std::uint64_t generation, int segments, int records) {
  if (const auto deleted = engine.DeleteTopic("far"); !deleted && deleted.error().code() != ErrorCode::kNotFound)
    Must(deleted);
  Must(engine.CreateTopic("far"));
  Offset at(0);
  for (int segment = 0; segment < segments; ++segment) {
    for (int done = 0; done < records;) {
      std::vector<Record> batch;
      for (; batch.size() < 100 && done < records; ++done, at = at + 1)
        batch.push_back({.value = FarValue(generation, at)});
      Must(engine.Append(kFarPartition, batch, {.durability = Durability::kOs}));
    }
    Must(engine.Upload());
    Must(engine.Recycle());
  }
}

FarRead ReadFar(Engine& engine, std::uint64_t generation, Offset begin, Offset end, std::uint64_t bytes_max) {
  FarRead done;
  for (Offset at = begin; at < end;) {
    const auto result = engine.Read(kFarPartition, at, {.bytes_max = bytes_max});
    if (!result) {
      done.wrong = result.error().ToString();
      return done;
    }
    for (const RecordView& record : result->records) {
      if (record.offset >= end) break;
      if (record.offset != at || !record.value || *record.value != FarValue(generation, at)) {
        done.wrong = "another record than was appended at offset " + std::to_string(at.value());
        return done;
      }
      at = at + 1;
      ++done.records;
    }
    if (result->records.empty()) {
      done.wrong = "nothing at offset " + std::to_string(at.value());
      return done;
    }
    done.explanation.Add(result->explanation);
  }
  return done;
}

}  // namespace millrace
