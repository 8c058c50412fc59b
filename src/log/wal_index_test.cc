// Goal: the index of any WAL stays within its memory, covers all of its partition evenly, and never joins what is
// needed with what is not. Method: batches at places as a WAL of many partitions gives them; the budget is counted.
#include "log/wal_index.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "env/seeded_random.h"

namespace millrace {
namespace {

constexpr std::int64_t kFrame = 232;           // of one record of 100 bytes
constexpr std::uint64_t kBatch = kFrame - 56;  // in it

/// Appends to `partitions` logs in turn, `rounds` batches each.
struct Turns {
  Turns(std::size_t partitions, WalIndexBudget* budget) {
    for (std::size_t i = 0; i < partitions; ++i)
      indexes.push_back(budget != nullptr ? std::make_unique<WalIndex>(*budget) : std::make_unique<WalIndex>());
  }
  void Run(int rounds, std::size_t first = 0) {
    for (int i = 0; i < rounds; ++i)
      for (std::size_t p = first; p < indexes.size(); ++p) Append(*indexes[p]);
  }
  void Append(WalIndex& index) {
    const WalExtent extent{end, end + kFrame};
    const Offset base(static_cast<std::int64_t>(index.bytes_total() / kBatch));
    index.Add(base, extent, kBatch, base.value(), index.OpensInterval(end), base.value());
    end = extent.end;
  }
  [[nodiscard]] std::uint64_t Counted() const {
    std::uint64_t sum = 0;
    for (const auto& index : indexes) sum += index->counted_bytes();
    return sum;
  }

  std::vector<std::unique_ptr<WalIndex>> indexes;
  WalPosition end;
};

/// The widest interval of it, in bytes of WAL.
std::int64_t Widest(const WalIndex& index) {
  std::int64_t widest = 0;
  for (std::size_t i = 0; i < index.size(); ++i)
    widest = std::max(widest, (i + 1 < index.size() ? index[i + 1].begin : index.end()) - index[i].begin);
  return widest;
}

TEST(WalIndexTest, ManyPartitionsOfSmallRecordsStayWithinTheBudget) {
  constexpr int kRounds = 320;  // 708 MiB of WAL
  WalIndexBudget budget(32 << 20);
  Turns bounded(10'000, &budget), unbounded(10'000, nullptr);
  bounded.Run(kRounds);
  unbounded.Run(kRounds);
  EXPECT_GT(unbounded.Counted(), budget.bytes_max() * 3 / 2) << "or it has nothing to do";
  EXPECT_EQ(bounded.Counted(), budget.bytes());
  EXPECT_LE(budget.bytes(), budget.bytes_max());
  EXPECT_GE(budget.bytes(), budget.bytes_max() / 2) << "what there is is used";
  for (const auto& index : bounded.indexes) ASSERT_LE(Widest(*index), 40 << 20) << "a read passes over no more";
}

TEST(WalIndexTest, WhoComesLateFindsRoomForASmallIndex) {
  WalIndexBudget budget(256 << 10);
  Turns turns(400, &budget);
  for (std::size_t p = 0; p < 40; ++p)
    for (int i = 0; i < 30'000; ++i) turns.Append(*turns.indexes[p]);
  EXPECT_LE(budget.bytes(), budget.bytes_max());
  EXPECT_GE(budget.bytes(), budget.bytes_max() / 8);
  turns.Run(3000, 40);
  EXPECT_LE(budget.bytes(), budget.bytes_max());
  const std::int64_t wal_of_the_late = std::int64_t{3000} * 360 * kFrame;
  for (std::size_t p = 40; p < 400; ++p) ASSERT_LE(Widest(*turns.indexes[p]), wal_of_the_late / 3) << p;
}

TEST(WalIndexTest, TheSmallestIndexIsThereWhateverTheBudget) {
  WalIndexBudget budget(0);
  Turns turns(100, &budget);
  turns.Run(30'000);
  EXPECT_EQ(budget.bytes(), 0u);
  for (const auto& index : turns.indexes) {
    EXPECT_GE(index->size(), 2u);
    EXPECT_LE(index->size(), WalIndexBudget::kFreeSlots);
    EXPECT_LE(Widest(*index), turns.end.value() * 3 / 4);
  }
}

TEST(WalIndexTest, AThinnedIndexStillTellsWhereEveryOffsetIs) {
  WalIndexBudget budget(0);
  WalIndex index(budget);
  SeededRandom random(7);
  std::vector<WalPosition> begins;  // of each offset's frame
  std::vector<std::int64_t> stamps;
  WalPosition end;
  for (int i = 0; i < 20'000; ++i) {
    end += static_cast<std::int64_t>(random.Next() % 200'000);
    const auto stamp = static_cast<std::int64_t>(random.Next() % 1000);
    const WalExtent extent{end, end + kFrame};
    index.Add(Offset(i), extent, kBatch, stamp, index.OpensInterval(end), i);
    begins.push_back(end);
    stamps.push_back(stamp);
    end = extent.end;
  }
  ASSERT_LE(index.size(), WalIndexBudget::kFreeSlots);
  EXPECT_EQ(index.bytes_held(), 20'000 * kBatch);
  for (std::size_t i = 0; i < index.size(); ++i) {
    const auto base = static_cast<std::size_t>(index[i].base.value());
    const auto next = i + 1 < index.size() ? static_cast<std::size_t>(index[i + 1].base.value()) : begins.size();
    EXPECT_EQ(index[i].begin, begins[base]);
    EXPECT_EQ(index[i].bytes_before, base * kBatch);
    EXPECT_EQ(index[i].appended_ms, static_cast<std::int64_t>(base));
    EXPECT_EQ(index[i].timestamp_max_ms, *std::max_element(stamps.begin() + static_cast<std::ptrdiff_t>(base),
                                                           stamps.begin() + static_cast<std::ptrdiff_t>(next)));
  }
}

TEST(WalIndexTest, WhatIsNeededIsNeverJoinedWithWhatIsNot) {
  WalIndexBudget budget(0);
  Turns turns(1, &budget);
  WalIndex& index = *turns.indexes[0];
  for (int i = 0; i < 2000; ++i) turns.Append(index);
  index.CloseInterval();  // all of it was taken up to here
  const Offset needed(2000);
  index.Keep(needed);
  const WalPosition begin = turns.end;
  for (int i = 0; i < 200'000; ++i) {
    turns.Append(index);
    ASSERT_EQ(index[index.Find(needed)].begin, begin) << i;
  }
  index.DropBefore(begin);
  EXPECT_EQ(index[0].base, needed);
}

TEST(WalIndexTest, IntervalsThatAreClosedAtOnceTakeNoMoreMemory) {
  WalIndexBudget budget(0);
  Turns turns(1, &budget);
  WalIndex& index = *turns.indexes[0];
  for (int i = 0; i < 5000; ++i) {
    turns.Append(index);
    index.CloseInterval();  // each batch is uploaded by itself
    index.Keep(Offset(i + 1));
    ASSERT_LE(index.size(), WalIndexBudget::kFreeSlots);
  }
  EXPECT_LE(index.interval_bytes(), turns.end.value()) << "it was not for want of distance";
}

TEST(WalIndexTest, MemoryComesBackWithTheFilesAndTheNextIntervalsAreShorterAgain) {
  WalIndexBudget budget(64 << 10);
  Turns turns(100, &budget);
  turns.Run(20'000);
  const std::uint64_t full = budget.bytes();
  EXPECT_GT(turns.indexes[0]->interval_bytes(), WalIndex::kIntervalBytes);
  for (const auto& index : turns.indexes) index->DropBefore(turns.end);
  EXPECT_GT(full, 0u);
  EXPECT_EQ(budget.bytes(), 0u);
  EXPECT_EQ(turns.indexes[0]->interval_bytes(), WalIndex::kIntervalBytes);
  turns.Run(3000);
  EXPECT_GT(budget.bytes(), 0u);
  turns.indexes.clear();
  EXPECT_EQ(budget.bytes(), 0u);
}

TEST(WalIndexTest, IntervalsBecomeShorterAgainAlsoWhileSomeAreHeld) {
  WalIndexBudget budget(0);
  Turns turns(1, &budget);
  WalIndex& index = *turns.indexes[0];
  for (int i = 0; i < 100'000; ++i) turns.Append(index);
  std::int64_t interval = index.interval_bytes();
  ASSERT_GT(interval, 4 * WalIndex::kIntervalBytes);
  while (index.size() > 1) {
    const bool few = index.size() - 1 <= WalIndexBudget::kFreeSlots / 2;
    index.DropBefore(index[0].begin + 1);
    EXPECT_EQ(index.interval_bytes(), few ? std::max(interval / 2, WalIndex::kIntervalBytes) : interval)
        << index.size();
    interval = index.interval_bytes();
  }
}

TEST(WalIndexTest, AClearedIndexGivesItsMemoryBackAndBeginsWithShortIntervals) {
  WalIndexBudget budget(64 << 10);
  Turns turns(1, &budget);
  WalIndex& index = *turns.indexes[0];
  for (int i = 0; i < 1'000'000 && index.interval_bytes() == WalIndex::kIntervalBytes; ++i) turns.Append(index);
  ASSERT_GT(index.interval_bytes(), WalIndex::kIntervalBytes);
  ASSERT_GT(budget.bytes(), 0u);
  index.Clear();
  EXPECT_EQ(index.interval_bytes(), WalIndex::kIntervalBytes);
  EXPECT_EQ(index.memory_bytes(), 0u);
  EXPECT_EQ(budget.bytes(), 0u);
}

TEST(WalIndexTest, ARestoredIndexGoesOnWithAIntervalOfItsOwnAndSoDoesWhoAdoptsIt) {
  Turns turns(1, nullptr);
  turns.Run(10);
  const WalIndex& written = *turns.indexes[0];
  ASSERT_FALSE(written.OpensInterval(written.end()));
  EXPECT_FALSE(written.Copy().OpensInterval(written.end()));
  const WalIndex restored = WalIndex::Restored({written[0]}, written.end(), written.bytes_total());
  EXPECT_TRUE(restored.OpensInterval(restored.end()));
  WalIndex adopted;
  adopted.Adopt(restored);
  EXPECT_TRUE(adopted.OpensInterval(adopted.end()));
}

TEST(WalIndexTest, AnAdoptedIndexKeepsWithinTheBudget) {
  Turns unbounded(1, nullptr);
  unbounded.Run(100'000);
  WalIndexBudget budget(0);
  WalIndex adopted(budget);
  adopted.Adopt(*unbounded.indexes[0]);
  EXPECT_LE(adopted.size(), WalIndexBudget::kFreeSlots);
  EXPECT_EQ(adopted.end(), unbounded.end);
  EXPECT_EQ(adopted.bytes_held(), unbounded.indexes[0]->bytes_held());
  EXPECT_LE(Widest(adopted), unbounded.end.value() * 3 / 4);
  const WalIndex copy = adopted.Copy();
  EXPECT_EQ(copy.size(), adopted.size());
}

}  // namespace
}  // namespace millrace
