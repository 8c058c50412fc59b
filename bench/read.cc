// Reads as views: sealed data from the page cache, and fresh data from the tail.
#include <fcntl.h>
#include <fmt/core.h>
#include <isa-l.h>
#include <unistd.h>

#include <vector>

#include "bench/harness/opened_engine.h"
#include "bench/harness/payloads.h"
#include "bench/harness/peers.h"
#include "bench/harness/stopwatch.h"
#include "bench/harness/suite.h"

using namespace millrace;
using namespace millrace::bench;

namespace {

constexpr std::uint64_t kMebibyte = 1u << 20;

struct ReadTotals {
  std::uint64_t records = 0, bytes = 0;
  BytesBySource sources;
  std::uint64_t requests = 0;
};

/// Everything in [begin, end), `bytes_max` a read; offsets are checked to be dense.
ReadTotals ReadRange(OpenedEngine& engine, Offset begin, Offset end, std::uint64_t bytes_max) {
  ReadTotals totals;
  for (Offset at = begin; at < end;) {
    const ReadResult result = OrDie(engine->Read(OpenedEngine::Partition(0), at, {.bytes_max = bytes_max}), "read");
    if (result.records.empty()) Die("a read came back empty before the end");
    for (const RecordView& record : result.records) {
      if (record.offset != begin + static_cast<std::int64_t>(totals.records)) Die("an offset is missing");
      ++totals.records;
      totals.bytes += record.value->size();
    }
    totals.sources.tail += result.explanation.bytes.tail;
    totals.sources.object_store += result.explanation.bytes.object_store;
    totals.sources.wal += result.explanation.bytes.wal;
    totals.requests += result.explanation.requests;
    at = result.next;
  }
  return totals;
}

/// pread of a mebibyte and a CRC over it, along a cached file of random bytes.
class CheckedFile {
 public:
  CheckedFile(const std::filesystem::path& path, std::uint64_t bytes, const Payloads& payloads)
      : bytes_(bytes), buffer_(kMebibyte) {
    descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    for (std::uint64_t at = 0; at < bytes_; at += 1024) {
      const std::string_view value = payloads.value(at / 1024);
      if (pwrite(descriptor_, value.data(), 1024, static_cast<off_t>(at)) != 1024) Die("cannot write the file to read");
    }
  }
  ~CheckedFile() { close(descriptor_); }
  CheckedFile(const CheckedFile&) = delete;
  CheckedFile& operator=(const CheckedFile&) = delete;

  /// Records of 1 KiB per second.
  double Rate() {
    const Stopwatch watch;
    for (std::uint64_t at = 0; at < bytes_; at += kMebibyte) {
      if (pread(descriptor_, buffer_.data(), kMebibyte, static_cast<off_t>(at)) != static_cast<ssize_t>(kMebibyte))
        Die("short read");
      crc_ = crc32_iscsi(buffer_.data(), static_cast<int>(kMebibyte), crc_);
    }
    return static_cast<double>(bytes_ / 1024) / watch.seconds();
  }

 private:
  int descriptor_ = -1;
  std::uint64_t bytes_;
  std::vector<unsigned char> buffer_;
  unsigned crc_ = 0;
};

/// Of records that were appended `batch` at a time.
void MeasureSealed(Suite& suite, std::uint64_t batch) {
  const Row row{batch == 1 ? "batch read, sealed, page cache, appended one by one" : "batch read, sealed, page cache",
                "records/s",
                fmt::format("256 MiB of 1 KiB random records, {} an append, in segments, hot tier recycled, block "
                            "cache 8 MiB, 1 MiB a read, views, every CRC checked; peer: LevelDB scan of the same "
                            "records, second pass",
                            batch),
                Better::kHigher, batch == 1 ? std::vector<Goal>{} : std::vector<Goal>{{1, 0.6}, {2, 1.5}}};
  if (!suite.Wants(row)) return;
  constexpr std::uint64_t kRecords = 256 * 1024;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  EngineOptions options = QuietOptions(suite.FreshDirectory("engine"));
  options.read.block_cache_max_size = 8 * kMebibyte;
  OpenedEngine engine(options, 1);
  for (std::uint64_t i = 0; i < kRecords / batch; ++i) {
    engine.Append(OpenedEngine::Partition(0), payloads.Batch(i, batch), Durability::kOs);
  }
  OrDie(engine->Upload(), "upload");
  OrDie(engine->Recycle(), "recycle");
  CheckedFile raw(suite.FreshDirectory("raw") / "file", kRecords * 1024, payloads);
  const auto level = OpenLevelDb(suite.FreshDirectory("leveldb"), PeerSync::kNever);
  for (std::uint64_t i = 0; i < kRecords; ++i) level->Put(i, payloads.value(i));
  suite.Compare(row, {{"millrace Engine::Read",
                       [&] {
                         const Stopwatch watch;
                         const ReadTotals totals = ReadRange(engine, Offset(0), Offset(kRecords), kMebibyte);
                         const double rate = static_cast<double>(kRecords) / watch.seconds();
                         if (totals.records != kRecords || totals.bytes != kRecords * 1024) Die("records are missing");
                         if (totals.sources.tail + totals.sources.wal != 0) Die("sealed data came from the hot tier");
                         return rate;
                       }},
                      {"pread + CRC-32C", [&] { return raw.Rate(); }},
                      {"LevelDB scan", [&] {
                         const Stopwatch watch;
                         if (level->Scan() != kRecords * 1024) Die("the peer lost records");
                         return static_cast<double>(kRecords) / watch.seconds();
                       }}});
}

/// Besides its rate, checks what a rate cannot show: all bytes from the tail cache, no request, and the very same
/// memory twice.
void MeasureTail(Suite& suite) {
  const Row row{"tail read of fresh data",
                "records/s",
                "8 MiB of 1 KiB random records just appended, 1 MiB a read, views; 0 I/O, no copy (checked)",
                Better::kHigher,
                {}};
  if (!suite.Wants(row)) return;
  constexpr std::uint64_t kRecords = 8 * 1024, kBatch = 64;
  const Payloads payloads(suite.seed(), Sizes::kOneKibibyte);
  OpenedEngine engine(QuietOptions(suite.FreshDirectory("engine")), 1);
  for (std::uint64_t i = 0; i < kRecords / kBatch; ++i) {
    engine.Append(OpenedEngine::Partition(0), payloads.Batch(i, kBatch), Durability::kDisk);
  }
  const auto first = OrDie(engine->Read(OpenedEngine::Partition(0), Offset(kRecords - 1)), "read");
  const auto second = OrDie(engine->Read(OpenedEngine::Partition(0), Offset(kRecords - 1)), "read");
  if (first.records.at(0).value->data() != second.records.at(0).value->data()) Die("a tail read copied its payload");
  suite.Compare(row, {{"millrace Engine::Read", [&] {
                         const Stopwatch watch;
                         const ReadTotals totals = ReadRange(engine, Offset(0), Offset(kRecords), kMebibyte);
                         const double rate = static_cast<double>(kRecords) / watch.seconds();
                         if (totals.sources.tail < kRecords * 1024 || totals.requests != 0 || totals.sources.wal != 0)
                           Die("a tail read did I/O");
                         return rate;
                       }}});
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite("read", argc, argv);
  MeasureSealed(suite, 256);
  MeasureSealed(suite, 1);
  MeasureTail(suite);
  return 0;
}
