// Reads of 1 KiB records, 1 MiB a read, from the WAL in the page cache as views, beside the bound of the same bytes:
// one pread and one CRC pass. And from opened blocks in memory. 256 MiB each; the tail cache is off.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "cache/block_cache.h"
#include "env/posix_file_system.h"
#include "env/seeded_random.h"
#include "env/system_clock.h"
#include "fetch/read_memory.h"
#include "fetch/segment_map.h"
#include "log/partition_log.h"
#include "log/tail_cache.h"
#include "meta/memory_metadata_store.h"
#include "read/partition_reader.h"
#include "record/record_batch_builder.h"
#include "store/memory_object_store.h"
#include "wal/disk_wal.h"

namespace millrace {
namespace {

constexpr std::int64_t kRecords = 256 << 10;
constexpr std::uint64_t kReadBytes = 1 << 20;

struct NoReplay final : WalReplay {
  Result<void> OnFrame(WalStream, WalExtent, std::span<const std::byte>) override { return {}; }
  Result<void> OnDamage(const WalDamage&) override { return {}; }
};

struct Bench {
  explicit Bench(int records_per_batch) {
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory);
    NoReplay replay;
    auto opened = DiskWal::Open({.directory = directory, .sync = SyncPolicy::None(), .wal_bytes_max = 1ull << 30},
                                files, clock, replay);
    MR_CHECK(opened);
    wal = *std::move(opened);
    log = std::make_unique<PartitionLog>(
        PartitionLog::Options{{TopicId(1), PartitionId(0)}, {"t", PartitionId(0)}, WalStream(1), SyncPolicy::None()},
        PartitionRow{}, *wal, tail_cache, clock);
    MR_CHECK(log->FinishRecovery());
    SeededRandom random(7);
    std::string value(1024, ' ');
    std::vector<Record> records(static_cast<std::size_t>(records_per_batch));
    for (std::int64_t i = 0; i < kRecords; i += records_per_batch) {
      for (Record& record : records) {
        for (std::size_t at = 0; at < value.size(); at += 8) {
          const std::uint64_t word = random.Next();
          std::memcpy(value.data() + at, &word, 8);
        }
        record = {.timestamp_ms = 1, .value = value};
      }
      MR_CHECK(log->Append(*BuildRecordBatch(records, {}), clock.Monotonic() + std::chrono::seconds(60)));
    }
    MR_CHECK(log->Sync({}));
    segments = std::make_unique<SegmentMap>(metadata, PartitionKey{TopicId(1), PartitionId(0)}, clock);
    reader = std::make_unique<PartitionReader>(*log, *segments, context);
  }
  ~Bench() {
    reader.reset();
    log.reset();
    (void)wal->Close();
    std::filesystem::remove_all(directory);
  }

  const std::filesystem::path directory = std::filesystem::temp_directory_path() / "millrace-read-bench";
  SystemClock clock;
  PosixFileSystem files;
  std::unique_ptr<DiskWal> wal;
  TailCache tail_cache{0};
  MemoryMetadataStore metadata;
  MemoryObjectStore objects;
  BlockCache blocks{{}};
  ReadMemory memory{256 << 20, clock};
  ReadCounters counters;
  ReadContext context{{objects, blocks, memory, counters, clock}};
  std::unique_ptr<PartitionLog> log;
  std::unique_ptr<SegmentMap> segments;
  std::unique_ptr<PartitionReader> reader;
};

void BM_ReadAll(benchmark::State& state) {
  Bench bench(static_cast<int>(state.range(0)));
  for (Offset at(0); at < Offset(kRecords);)  // into the page cache
    at = bench.reader->Read(at, {.bytes_max = kReadBytes})->next;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    for (Offset at(0); at < Offset(kRecords);) {
      const auto read = bench.reader->Read(at, {.bytes_max = kReadBytes});
      MR_CHECK(read && !read->records.empty());
      benchmark::DoNotOptimize(read->records.data());
      at = read->next;
      bytes += read->explanation.bytes.wal;
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_ReadAll)->Arg(1)->Arg(16)->Arg(256)->Unit(benchmark::kMillisecond);

/// The same files, a megabyte at a time into one buffer that is used again, and one CRC pass.
void BM_PreadAndCrc(benchmark::State& state) {
  Bench bench(16);
  std::vector<int> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(bench.directory))
    if (entry.is_regular_file() && entry.file_size() >= kReadBytes)
      files.push_back(::open(entry.path().c_str(), O_RDONLY));
  std::vector<std::byte> buffer(kReadBytes);
  for (const int file : files)
    for (off_t at = 0; ::pread(file, buffer.data(), buffer.size(), at) > 0;) at += kReadBytes;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    std::uint64_t round = 0;
    for (const int file : files) {
      for (off_t at = 0; round < static_cast<std::uint64_t>(kRecords) << 10; at += kReadBytes) {
        const ssize_t got = ::pread(file, buffer.data(), buffer.size(), at);
        if (got <= 0) break;
        benchmark::DoNotOptimize(Crc32c(std::span(buffer).first(static_cast<std::size_t>(got))));
        round += static_cast<std::uint64_t>(got);
      }
    }
    bytes += round;
  }
  for (const int file : files) ::close(file);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_PreadAndCrc)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace
