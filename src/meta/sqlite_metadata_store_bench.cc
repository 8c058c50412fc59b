// What metadata costs: opening with a million segments, paging through them, committing a segment and a position.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>

#include "env/posix_file_system.h"
#include "env/temporary_directory.h"
#include "meta/catalog.h"
#include "meta/sqlite_metadata_store.h"

namespace millrace {
namespace {

ObjectRow Object(std::int64_t n) {
  ObjectRow object;
  for (int i = 0; i < 8; ++i) object.id[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(n >> (8 * i));
  object.key = "objects/" + std::to_string(n);
  object.size_bytes = 1 << 30;
  return object;
}

void Fill(SqliteMetadataStore& store, const PartitionKey& key, std::int64_t begin, std::int64_t count) {
  const ObjectRow object = Object(begin);
  std::vector<SegmentCommit> commits;
  for (std::int64_t i = begin; i < begin + count; ++i) {
    commits.push_back({{key, Offset(i * 10), Offset(i * 10 + 10), object.id, 0, 100, 10, 0, 0}, LeaderEpoch(0)});
  }
  if (!Catalog(store).PrepareObject(object) || !Catalog(store).CommitSegments(object, commits)) std::abort();
}

void BM_OpenWithSegments(benchmark::State& state) {
  const TemporaryDirectory scratch;
  PosixFileSystem file_system;
  const std::filesystem::path path = scratch.path() / "metadata.db";
  PartitionKey key;
  {
    auto store = *SqliteMetadataStore::Open(path, file_system);
    key = {Catalog(*store).CreateTopic("t", {}, "", 1)->id, PartitionId(0)};
    for (std::int64_t n = 0; n < state.range(0); n += 10'000) Fill(*store, key, n, 10'000);
    if (!store->Close()) std::abort();
  }
  for (auto _ : state) {
    auto store = *SqliteMetadataStore::Open(path, file_system);
    std::size_t rows = 0;
    for (Offset from{0}; state.range(1) != 0;) {
      auto page = *Catalog(*store).Segments(key, from, 10'000);
      if (page.empty()) break;
      rows += page.size();
      from = page.back().end;
    }
    state.counters["rows"] = static_cast<double>(rows);
    if (!store->Close()) std::abort();
  }
  state.counters["file_bytes"] = static_cast<double>(std::filesystem::file_size(path));
}
BENCHMARK(BM_OpenWithSegments)
    ->Args({10'000, 0})
    ->Args({1'000'000, 0})
    ->Args({1'000'000, 1})
    ->Unit(benchmark::kMillisecond);

void BM_CommitPosition(benchmark::State& state) {
  const TemporaryDirectory scratch;
  PosixFileSystem file_system;
  auto store = *SqliteMetadataStore::Open(scratch.path() / "metadata.db", file_system);
  const PartitionKey key{Catalog(*store).CreateTopic("t", {}, "", 1)->id, PartitionId(0)};
  std::int64_t at = 0;
  for (auto _ : state) {
    const PositionRow row{{"group", key}, Offset(++at)};
    if (!Catalog(*store).CommitPositions(std::span(&row, 1))) std::abort();
  }
}
BENCHMARK(BM_CommitPosition)->Unit(benchmark::kMicrosecond);

void BM_PrepareAndCommitSegment(benchmark::State& state) {
  const TemporaryDirectory scratch;
  PosixFileSystem file_system;
  auto store = *SqliteMetadataStore::Open(scratch.path() / "metadata.db", file_system);
  const PartitionKey key{Catalog(*store).CreateTopic("t", {}, "", 1)->id, PartitionId(0)};
  std::int64_t n = 0;
  for (auto _ : state) Fill(*store, key, n++, 1);
}
BENCHMARK(BM_PrepareAndCommitSegment)->Unit(benchmark::kMicrosecond);

/// What an upload does once its object is stored: an object of one segment in each of so many partitions.
void BM_CommitObjectOfPartitions(benchmark::State& state) {
  const TemporaryDirectory scratch;
  PosixFileSystem file_system;
  auto store = *SqliteMetadataStore::Open(scratch.path() / "metadata.db", file_system);
  TopicOptions options;
  options.partitions = static_cast<std::int32_t>(state.range(0));
  const TopicId topic = Catalog(*store).CreateTopic("t", options, "", 1)->id;
  std::int64_t n = 0;
  for (auto _ : state) {
    const ObjectRow object = Object(n);
    std::vector<SegmentCommit> commits;
    for (std::int32_t p = 0; p < options.partitions; ++p)
      commits.push_back(
          {{{topic, PartitionId(p)}, Offset(n), Offset(n + 1), object.id, 0, 100, 1, 0, 0}, LeaderEpoch(0)});
    ++n;
    if (!Catalog(*store).PrepareObject(object) || !Catalog(*store).CommitSegments(object, commits)) std::abort();
  }
}
BENCHMARK(BM_CommitObjectOfPartitions)->Arg(1)->Arg(10)->Arg(100)->Unit(benchmark::kMicrosecond);

/// What an opening pays that found no clean close.
void BM_RaiseEpochs(benchmark::State& state) {
  const TemporaryDirectory scratch;
  PosixFileSystem file_system;
  auto store = *SqliteMetadataStore::Open(scratch.path() / "metadata.db", file_system);
  TopicOptions options;
  options.partitions = static_cast<std::int32_t>(state.range(0));
  const TopicId topic = Catalog(*store).CreateTopic("t", options, "", 1)->id;
  std::int64_t log_end = 0;
  for (auto _ : state) {
    const auto rows = *Catalog(*store).Epochs();
    const auto partitions = *Catalog(*store).Partitions(topic);
    std::vector<EpochGround> grounds;
    grounds.reserve(partitions.size());
    for (const PartitionRow& row : partitions) {
      const auto own = std::ranges::equal_range(rows, row.key, {}, &EpochRow::partition);
      grounds.push_back({.partition = row, .epochs = {own.begin(), own.end()}, .log_end = Offset(log_end)});
    }
    if (state.range(1) != 0) log_end += 10;  // records came in between: rows add up
    if (!Catalog(*store).RaiseEpochs(grounds)) std::abort();
  }
}
BENCHMARK(BM_RaiseEpochs)
    ->Args({10'000, 0})
    ->Args({10'000, 1})
    ->Args({100'000, 0})
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

void BM_CreateAndOpenEmpty(benchmark::State& state) {
  PosixFileSystem file_system;
  for (auto _ : state) {
    const TemporaryDirectory scratch;
    auto store = *SqliteMetadataStore::Open(scratch.path() / "metadata.db", file_system);
    if (!store->Close()) std::abort();
  }
}
BENCHMARK(BM_CreateAndOpenEmpty)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace
