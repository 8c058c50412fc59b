// Many partitions that each have little: what uploading them reads and makes, and what pressure of the WAL makes of
// them. Method: engines on simulated disks; where uploads hurry by themselves, with their threads. Concerns S28, W32.
#include <algorithm>

#include "engine/engine_fixture.h"

namespace millrace {
namespace {

class EngineThinTest : public EngineFixture {
 protected:
  static UploadConfig Uploads(std::uint64_t segment_bytes_max) {
    return {.segment_bytes_max = segment_bytes_max,
            .segment_age_max = std::chrono::hours(1),
            .codec = SegmentCodec::kNone,
            .delete_grace = {}};
  }
  /// `bytes` in batches of `batch_bytes`, in turn.
  static void AppendInTurn(Engine& engine, int partitions, std::uint64_t bytes, std::size_t batch_bytes) {
    const Record record = Value(std::string(batch_bytes, 'v'));
    for (std::uint64_t i = 0; i * batch_bytes < bytes; ++i) {
      const auto receipt = engine.Append(At("t", static_cast<std::int32_t>(i % static_cast<std::uint64_t>(partitions))),
                                         {&record, 1}, {.durability = Durability::kOs});
      ASSERT_TRUE(receipt) << Told(receipt);
    }
  }
};

TEST_F(EngineThinTest, AnUploadReadsEachByteOfTheWalOnceWhateverTheNumberOfPartitions) {
  constexpr std::uint64_t kBytes = 24 << 20;
  for (const int partitions : {1, 64, 512}) {
    EngineOptions options = Options();
    options.data_dir = directory_.path() / std::to_string(partitions);
    options.wal_bytes_max = 256 << 20;
    options.upload = Uploads(64 << 20);
    {
      const auto engine = Open(options);
      ASSERT_TRUE(engine->CreateTopic("t", {.partitions = partitions}));
      AppendInTurn(*engine, partitions, kBytes, 8'000);
      ASSERT_TRUE(engine->Close());
    }
    options.upload = Uploads(4 << 20);
    const auto engine = Open(options);  // with nothing in memory
    ASSERT_TRUE(engine->Upload());
    const EngineStats stats = engine->Stats();
    EXPECT_GE(stats.wal_read_bytes, kBytes);
    EXPECT_LE(stats.wal_read_bytes, kBytes * 13 / 10) << partitions;  // a piece of a megabyte too many for each object
    EXPECT_LE(stats.object_puts, 10U);
    for (int i = 0; i < partitions; i += 37) {
      const auto offsets = engine->Offsets(At("t", i));
      EXPECT_EQ(offsets->tiered_end, offsets->log_end);
    }
  }
}

TEST_F(EngineThinTest, PressureMakesNoCrumbs) {
  constexpr std::uint64_t kBytes = 100'000'000, kSegment = 16 << 20, kWal = 24 << 20;
  for (const int partitions : {1, 8, 300}) {
    EngineOptions options = OnSimulatedDisk();
    options.upload = Uploads(kSegment);
    options.wal_bytes_max = kWal;
    const auto engine = Open(options);
    ASSERT_TRUE(engine->CreateTopic("t", {.partitions = partitions}));
    AppendInTurn(*engine, partitions, 1, 1);
    ASSERT_TRUE(engine->Upload());
    const std::uint64_t before = engine->Stats().object_puts;
    AppendInTurn(*engine, partitions, kBytes, 10'000);
    const std::uint64_t objects = engine->Stats().object_puts - before;
    EXPECT_LE(objects, 2 * kBytes / std::min(kSegment, kWal / 2)) << partitions;
    EXPECT_GE(objects, (kBytes - kWal) / kSegment) << "the WAL holds no more";
  }
}

}  // namespace
}  // namespace millrace
