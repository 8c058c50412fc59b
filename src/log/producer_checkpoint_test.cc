// Goal: what is kept of producers comes back as it was or not at all, and a crash leaves one file or the other. Method:
// round trip, every cut, every flipped bit, states that cannot be under a checksum that fits; power loss after every
// operation.
#include "log/producer_checkpoint.h"

#include <gtest/gtest.h>

#include "base/coding.h"
#include "base/crc32c.h"
#include "env/sim/sim_file_system.h"

namespace millrace {
namespace {

const std::filesystem::path kDirectory = "/wal";

ProducerState State(std::uint64_t stream, std::int64_t id, int batches, std::int32_t first = 0) {
  ProducerState state{.stream = WalStream(stream),
                      .window = {.id = id, .epoch = 3, .batch_count = static_cast<std::uint8_t>(batches)},
                      .wal_end = WalPosition(500),
                      .touched_ms = 1'000 + id};
  for (std::size_t i = 0; i < state.window.batch_count; ++i) {
    const std::int32_t begin = SequenceAfter(first, static_cast<std::int32_t>(i) * 2);
    state.window.batches[i] = {.first = begin,
                               .last = SequenceAfter(begin),
                               .base = Offset(100 + static_cast<std::int64_t>(i) * 2),
                               .timestamp_ms = static_cast<std::int64_t>(i)};
  }
  return state;
}

ProducerCheckpoint Example() {
  return {.wal_end = WalPosition(700),
          .states = {State(1, 9, 1), State(1, 4, 5, INT32_MAX - 3), State(1ULL << 32, 9, 3)}};
}

std::vector<std::byte> WithChecksum(std::vector<std::byte> bytes) {
  PutLe(bytes.data() + 8, Crc32c(std::span<const std::byte>(bytes).subspan(12)));
  return bytes;
}

TEST(ProducerCheckpointTest, RoundTripIsExact) {
  for (const ProducerCheckpoint& checkpoint : {ProducerCheckpoint{}, Example()}) {
    const auto decoded = DecodeProducerCheckpoint(EncodeProducerCheckpoint(checkpoint));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, checkpoint);
  }
}

TEST(ProducerCheckpointTest, CutOrFlippedAnywhereItIsNotBelieved) {
  const auto bytes = EncodeProducerCheckpoint(Example());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DecodeProducerCheckpoint(std::span(bytes).first(size))) << size;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EXPECT_FALSE(DecodeProducerCheckpoint(flipped)) << bit;
  }
}

TEST(ProducerCheckpointTest, StatesThatCannotBeAreNotBelievedUnderAnyChecksum) {
  const auto good = EncodeProducerCheckpoint(Example());
  constexpr std::size_t kFirst = 32;
  const auto with = [&](std::size_t at, auto value) {
    auto bytes = good;
    PutLe(bytes.data() + at, value);
    return WithChecksum(std::move(bytes));
  };
  ASSERT_TRUE(DecodeProducerCheckpoint(WithChecksum(good)));
  EXPECT_FALSE(DecodeProducerCheckpoint(with(16, std::int64_t{499}))) << "a frame past the end";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(24, std::uint64_t{2}))) << "bytes behind the last";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(24, UINT64_MAX))) << "more than the bytes can hold";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(kFirst + 8, std::int64_t{-1}))) << "an id below 0";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(kFirst + 32, std::int16_t{-1}))) << "an epoch below 0";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(kFirst + 34, std::uint8_t{0}))) << "no batch";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(kFirst + 34, std::uint8_t{6}))) << "six";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(kFirst + 40, std::int32_t{-2}))) << "a number below 0";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(kFirst + 64 + 8, std::int64_t{9}))) << "one producer twice";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(kFirst + 64 + 40 + 24, std::int32_t{5})))
      << "a batch that does not follow";
  EXPECT_FALSE(DecodeProducerCheckpoint(with(kFirst + 64 + 40 + 24 + 8, std::int64_t{100}))) << "an offset twice";
}

TEST(ProducerCheckpointTest, ACrashLeavesTheOldOneOrTheNewOne) {
  SimFileSystem disk(3);
  ASSERT_TRUE(disk.CreateDirectories(kDirectory));
  EXPECT_FALSE(*ReadProducerCheckpoint(disk, kDirectory));
  ASSERT_TRUE(WriteProducerCheckpoint(disk, kDirectory, {}));
  std::vector<std::shared_ptr<const SimFileSystem::Image>> images;
  disk.SetObserver([&](SimOperation, const std::filesystem::path&) { images.push_back(disk.Snapshot()); });
  const auto checksum = WriteProducerCheckpoint(disk, kDirectory, Example());
  disk.SetObserver(nullptr);
  ASSERT_TRUE(checksum);
  ASSERT_GE(images.size(), 4U);
  int fresh = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (const std::uint64_t seed : {0, 1, 2, 3}) {
      auto after = SimFileSystem::AfterPowerLoss(*images[i], seed);
      const auto read = ReadProducerCheckpoint(*after, kDirectory);
      ASSERT_TRUE(read && *read) << i << " " << seed;
      if ((*read)->checkpoint == Example()) {
        EXPECT_EQ((*read)->checksum, *checksum);
        ++fresh;
      } else {
        EXPECT_EQ((*read)->checkpoint, ProducerCheckpoint{});
        EXPECT_LT(i + 1, images.size()) << "once it was written it is there";
      }
    }
  }
  EXPECT_GT(fresh, 0);
  ASSERT_TRUE(RemoveProducerCheckpoint(disk, kDirectory));
  ASSERT_TRUE(RemoveProducerCheckpoint(disk, kDirectory));
  EXPECT_FALSE(*ReadProducerCheckpoint(disk, kDirectory));
}

TEST(ProducerCheckpointTest, DamageIsToldAndWhatCannotBeReadIsNotTakenForNothing) {
  SimFileSystem disk(3);
  ASSERT_TRUE(disk.CreateDirectories(kDirectory));
  ASSERT_TRUE(WriteProducerCheckpoint(disk, kDirectory, Example()));
  disk.FlipBit(kDirectory / kProducerCheckpointName, 40, 1);
  const auto damaged = ReadProducerCheckpoint(disk, kDirectory);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), ErrorCode::kCorruption);
  EXPECT_NE(damaged.error().damage(), nullptr);
  disk.SetFaultPlan([](SimOperation operation, const std::filesystem::path&, std::uint64_t) {
    return operation == SimOperation::kRead ? std::optional(SimFault{.code = ErrorCode::kUnavailable}) : std::nullopt;
  });
  const auto unreadable = ReadProducerCheckpoint(disk, kDirectory);
  ASSERT_FALSE(unreadable);
  EXPECT_EQ(unreadable.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace millrace
