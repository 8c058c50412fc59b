// Goal: whatever befalls the directory of the disk cache under a running engine, reads go on and bring what was
// appended; and what a healthy cache saves can be counted. Method: an engine over the simulated S3 whose cache lies on
// a small file system of its own, which is filled by another writer, made read-only, or emptied behind its back; files
// of the cache flipped, cut and swapped between two runs. Requests are counted by the store, hits by the engine;
// nothing depends on time. Needs the right to mount. Proves R1, R7, R29 (its counts), S1, S3, S8, S10, B52 (its
// counts), B53 and B58 end to end.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "env/seeded_random.h"
#include "env/system_clock.h"
#include "env/temporary_directory.h"
#include "test/e2e/far_topic.h"
#include "test/s3/s3_stores.h"
#include "test/s3/sim_s3_server.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr int kSegments = 3, kRecords = 8'000;
constexpr Offset kEnd(kSegments* kRecords);
constexpr std::uint64_t kMebibyte = 1 << 20;

/// A file system in memory at `path`, as long as it lives.
class SmallDisk {
 public:
  SmallDisk(fs::path path, std::uint64_t bytes) : path_(std::move(path)) {
    fs::create_directories(path_);
    const std::string size = "size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, size.c_str()) == 0;
    EXPECT_TRUE(mounted_) << "cannot mount a small file system (run as root): " << std::strerror(errno);
  }
  ~SmallDisk() {
    if (read_only_) MakeWritable();
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// By a second mount over the first, for the first is busy with the files that are open for writing.
  void MakeReadOnly() {
    EXPECT_EQ(::mount(path_.c_str(), path_.c_str(), nullptr, MS_BIND, nullptr), 0) << std::strerror(errno);
    EXPECT_EQ(::mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0)
        << std::strerror(errno);
    read_only_ = true;
  }
  void MakeWritable() {
    EXPECT_EQ(::umount2(path_.c_str(), MNT_DETACH), 0) << std::strerror(errno);
    read_only_ = false;
  }

 private:
  const fs::path path_;
  bool mounted_ = false, read_only_ = false;
};

class CacheFaultsTest : public testing::Test {
 protected:
  CacheFaultsTest() {
    s3_.CreateBucket(kTestBucket);
    auto started = SimS3Server::Start(s3_);
    EXPECT_TRUE(started);
    server_ = *std::move(started);
    auto engine = Open(64 * kMebibyte);
    MakeFarTopic(*engine, kGeneration, kSegments, kRecords);
    EXPECT_TRUE(engine->Close());
  }

  std::unique_ptr<Engine> Open(std::uint64_t cache_bytes) {
    EngineOptions options = FarOptions(directory_.path(), server_->port());
    options.read.cache_max_size = cache_bytes;
    auto engine = Engine::Open(std::move(options));
    EXPECT_TRUE(engine) << engine.error().ToString();
    return *std::move(engine);
  }
  /// Everything, right.
  FarRead ReadAll(Engine& engine, std::string_view when) {
    FarRead read = ReadFar(engine, kGeneration, Offset(0), kEnd);
    EXPECT_EQ(read.wrong, "") << when;
    EXPECT_EQ(read.records, static_cast<std::uint64_t>(kEnd.value())) << when;
    checked_ += read.records;
    return read;
  }
  [[nodiscard]] std::uint64_t Gets() const { return s3_.Counts().of(S3Verb::kGet); }
  [[nodiscard]] fs::path cache() const { return directory_.path() / "cache"; }
  std::vector<fs::path> ChunkFiles() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(cache() / "chunks"))
      if (entry.is_regular_file()) files.push_back(entry.path());
    return files;
  }

  static constexpr std::uint64_t kGeneration = 7;
  const TemporaryDirectory directory_;
  const SystemClock clock_;
  SimS3 s3_{1, clock_};
  std::unique_ptr<SimS3Server> server_;
  std::uint64_t checked_ = 0;
};

TEST_F(CacheFaultsTest, ReadsGoOnWhenTheDiskOfTheCacheIsFull) {
  SmallDisk disk(cache(), 12 * kMebibyte);  // half of what is read
  const auto engine = Open(64 * kMebibyte);
  for (int round = 0; round < 3; ++round) ReadAll(*engine, "with a disk smaller than the ceiling");
  {
    std::ofstream ballast(cache() / "ballast", std::ios::binary);
    const std::string block(64 << 10, '\xaa');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  for (int round = 0; round < 3; ++round) ReadAll(*engine, "with a disk that somebody else filled");
  fs::remove(cache() / "ballast");
  ReadAll(*engine, "after there was room again");
  EXPECT_TRUE(engine->Close());
  EXPECT_GE(checked_, 7U * kEnd.value());
}

TEST_F(CacheFaultsTest, ReadsGoOnWhenTheCacheBecomesReadOnly) {
  SmallDisk disk(cache(), 64 * kMebibyte);
  {
    const auto engine = Open(64 * kMebibyte);
    EXPECT_EQ(ReadFar(*engine, kGeneration, Offset(0), Offset(kRecords)).wrong, "");  // a third is there
    disk.MakeReadOnly();
    for (int round = 0; round < 3; ++round) ReadAll(*engine, "read-only under a running engine");
    EXPECT_TRUE(engine->Close());
  }
  {
    const auto engine = Open(64 * kMebibyte);
    ReadAll(*engine, "read-only when it was opened");
    EXPECT_TRUE(engine->Close());
  }
  disk.MakeWritable();
  const auto engine = Open(64 * kMebibyte);
  ReadAll(*engine, "writable again");
  const std::uint64_t before = Gets();
  ReadAll(*engine, "from the cache");
  EXPECT_EQ(Gets(), before);
  EXPECT_TRUE(engine->Close());
}

/// An engine that writes there finds it gone from one moment to the next, and puts nothing back while it is emptied.
void DeleteAtOnce(const fs::path& directory) {
  const fs::path aside = fs::path(directory) += ".deleted";
  fs::rename(directory, aside);
  fs::remove_all(aside);
}

TEST_F(CacheFaultsTest, ReadsGoOnWhenTheCacheIsDeletedUnderARunningEngine) {
  const auto engine = Open(64 * kMebibyte);
  ReadAll(*engine, "cold");
  const std::uint64_t before = Gets();
  ReadAll(*engine, "from the cache");
  ASSERT_EQ(Gets(), before) << "nothing to delete";
  DeleteAtOnce(cache() / "chunks");
  ReadAll(*engine, "its chunks deleted");
  EXPECT_GT(Gets(), before);
  DeleteAtOnce(cache());
  for (int round = 0; round < 3; ++round) ReadAll(*engine, "all of it deleted");
  EXPECT_TRUE(engine->Close());
  const auto next = Open(64 * kMebibyte);
  ReadAll(*next, "made again");
  EXPECT_TRUE(next->Close());
}

TEST_F(CacheFaultsTest, DamagedChunksAreFetchedAgainOnce) {
  SeededRandom random(3);
  for (int round = 0; round < 6; ++round) {
    {
      const auto engine = Open(64 * kMebibyte);
      ReadAll(*engine, "to fill the cache");
      EXPECT_TRUE(engine->Close());
    }
    const std::vector<fs::path> files = ChunkFiles();
    ASSERT_GE(files.size(), 20U);
    for (std::size_t i = 0; i < files.size(); ++i) {
      const auto size = fs::file_size(files[i]);
      if (round % 3 == 0) {  // a byte anywhere
        std::fstream file(files[i], std::ios::in | std::ios::out | std::ios::binary);
        const auto at = static_cast<std::streamoff>(random.Next() % size);
        file.seekg(at);
        const char byte = static_cast<char>(file.get());
        file.seekp(at);
        file.put(static_cast<char>(byte ^ 0x40));
      } else if (round % 3 == 1) {
        fs::resize_file(files[i], random.Next() % size);
      } else if (i % 2 == 1) {  // a good chunk under the name of another one
        const fs::path aside = files[i].string() + ".aside";
        fs::rename(files[i], aside);
        fs::rename(files[i - 1], files[i]);
        fs::rename(aside, files[i - 1]);
      }
    }
    const auto engine = Open(64 * kMebibyte);
    std::uint64_t before = Gets();
    ReadAll(*engine, "over damaged chunks");
    EXPECT_GT(Gets(), before) << "round " << round;
    EXPECT_LE(Gets() - before, 3 * files.size()) << "round " << round;
    ReadAll(*engine, "once more");
    before = Gets();
    ReadAll(*engine, "when all was fetched again");
    EXPECT_EQ(Gets(), before) << "round " << round;
    EXPECT_EQ(engine->Stats().corruptions, 0U) << "the object is whole";
    EXPECT_TRUE(engine->Close());
  }
  EXPECT_GE(checked_, 24U * kEnd.value());
}

TEST_F(CacheFaultsTest, ASequentialReadHitsAndASecondOneAsksForNothing) {
  const auto engine = Open(64 * kMebibyte);
  const std::uint64_t before = Gets();
  const SimS3Counts counts_before = s3_.Counts();
  const FarRead cold = ReadAll(*engine, "cold");
  const BytesBySource& bytes = cold.explanation.bytes;
  const std::uint64_t asked_itself = bytes.object_store - cold.explanation.prefetched;
  const std::uint64_t all = bytes.object_store + bytes.segment_cache + bytes.block_cache;
  EXPECT_LE(asked_itself * 5, all) << "more than a fifth was not there when it was wanted";
  EXPECT_LE(Gets() - before, 3U * 12);  // of 8 MB segments: an index and a few large ranges each
  EXPECT_LE((s3_.Counts().bytes_out - counts_before.bytes_out) * 100, all * 105);
  EXPECT_LE(engine->Stats().prefetch_wasted_bytes * 20, engine->Stats().prefetch_used_bytes);
  const std::uint64_t after = Gets();
  const FarRead warm = ReadAll(*engine, "from the cache");
  EXPECT_EQ(Gets(), after);
  EXPECT_EQ(warm.explanation.requests, 0U);
  EXPECT_EQ(warm.explanation.bytes.object_store, 0U);
  EXPECT_TRUE(engine->Close());
}

TEST_F(CacheFaultsTest, ManyReadersOfTheSameHistoryCostHardlyMoreRequestsThanOne) {
  s3_.SetBehaviour({.first_byte = std::chrono::milliseconds(5), .bytes_per_second = 80'000'000});
  const auto gets_of = [&](int readers) {
    fs::remove_all(cache());
    const auto engine = Open(64 * kMebibyte);
    const std::uint64_t before = Gets();
    {
      std::vector<std::jthread> threads;
      for (int reader = 0; reader < readers; ++reader) {
        threads.emplace_back(
            [&] { EXPECT_EQ(ReadFar(*engine, kGeneration, Offset(0), Offset(2 * kRecords)).wrong, ""); });
      }
    }
    EXPECT_TRUE(engine->Close());
    return Gets() - before;
  };
  const std::uint64_t alone = gets_of(1);
  EXPECT_LE(gets_of(24), 2 * alone) << "how far ahead each asks depends on time, what is shared does not";
}

// B52: its times are in docs/benchmarks.md (read_floor).
TEST_F(CacheFaultsTest, MixedLoadBringsNoWrongRecord) {
  const auto engine = Open(12 * kMebibyte);
  constexpr int kReaders = 4, kReadsEach = 120, kAppends = 300;
  ASSERT_TRUE(engine->CreateTopic("live"));
  const TopicPartition live{"live", PartitionId(0)};
  std::vector<std::uint64_t> right(kReaders, 0), wrong(kReaders, 0);
  {
    std::vector<std::jthread> threads;
    for (int reader = 0; reader < kReaders; ++reader) {
      threads.emplace_back([&, reader] {
        SeededRandom random(static_cast<std::uint64_t>(reader) + 10);
        const auto number = static_cast<std::size_t>(reader);
        for (int i = 0; i < kReadsEach; ++i) {
          const Offset begin(static_cast<std::int64_t>(random.Next() % static_cast<std::uint64_t>(kEnd.value() - 400)));
          const std::int64_t count = reader % 2 == 0 ? 1 + static_cast<std::int64_t>(random.Next() % 20) : 400;
          const FarRead read = ReadFar(*engine, kGeneration, begin, begin + count);
          right[number] += read.records;
          wrong[number] += read.wrong.empty() ? 0 : 1;
        }
      });
    }
    threads.emplace_back([&] {
      for (int i = 0; i < kAppends; ++i) {
        const Record record{.value = FarValue(99, Offset(i))};
        EXPECT_TRUE(engine->Append(live, {&record, 1}, {.durability = Durability::kOs}));
        const auto read = engine->Read(live, Offset(i));
        ASSERT_TRUE(read) << read.error().ToString();
        ASSERT_EQ(read->records.size(), 1U);
        EXPECT_EQ(*read->records[0].value, FarValue(99, Offset(i)));
        if (i % 100 == 99) EXPECT_TRUE(engine->Upload());
      }
    });
  }
  for (int reader = 0; reader < kReaders; ++reader) {
    EXPECT_EQ(wrong[static_cast<std::size_t>(reader)], 0U);
    EXPECT_GE(right[static_cast<std::size_t>(reader)], static_cast<std::uint64_t>(kReadsEach));
  }
  EXPECT_TRUE(engine->Close());
}

}  // namespace
}  // namespace millrace
