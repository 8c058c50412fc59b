// Goal: what a sequential reader of near objects comes to next lies in the block cache already, and nothing else
// changes. Method: a partition in segments over a memory store; closing the warmer waits for its thread, so that what
// it has done can be counted. Proves R9, B15 and B30 for blocks read ahead of need.
#include "read/block_warmer.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "read/read_fixture.h"
#include "store/faulty_object_store.h"

namespace millrace {
namespace {

constexpr int kBatches = 400, kRecordsPerBatch = 2;  // a batch of 10 KB is a block
constexpr ReadLimits kLimits{.bytes_max = 60'000};

struct WarmFixture : ReadFixture {
  explicit WarmFixture(ReadFixtureOptions options = {}) : ReadFixture(Uncompressed(options)) {
    for (int i = 0; i < kBatches; ++i) AppendNumbered(kRecordsPerBatch, 5'000);
  }
  ~WarmFixture() { StopWarming(); }
  static ReadFixtureOptions Uncompressed(ReadFixtureOptions options) {
    options.codec = SegmentCodec::kNone;
    options.segment_block_bytes = 10'000;
    return options;
  }
  void StartWarming() {
    warmer = std::make_unique<BlockWarmer>(context, BlockWarmerOptions{options.block_bytes_max});
    context.warmer = warmer.get();
  }
  /// What it was asked for is done when this returns.
  void StopWarming() {
    if (warmer) warmer->Close();
    context.warmer = nullptr;
  }
  ReadResult Read(Offset begin) { return partition.reader->Read(begin, kLimits).value(); }

  std::unique_ptr<BlockWarmer> warmer;
};

TEST(BlockWarmerTest, ASequentialReaderFindsTheNextBlocksInMemory) {
  WarmFixture f;
  f.Upload();
  f.Recycle();
  f.StartWarming();
  const ReadResult first = f.Read(Offset(0));
  const ReadResult second = f.Read(first.next);
  EXPECT_GT(second.explanation.requests, 0u);
  f.StopWarming();
  const ReadResult third = f.Read(second.next);
  EXPECT_EQ(third.explanation.requests, 0u);
  EXPECT_GT(third.explanation.bytes.block_cache, 0u);
  EXPECT_EQ(third.explanation.bytes.object_store, 0u);
  ASSERT_FALSE(third.records.empty());
  EXPECT_EQ(third.records.front().offset, second.next);
  EXPECT_EQ(f.memory.bytes(), 0u);
}

TEST(BlockWarmerTest, WhoReadsHereAndThereWarmsNothing) {
  WarmFixture f;
  f.Upload();
  f.Recycle();
  f.StartWarming();
  std::uint64_t requests = 0;
  for (const int at : {0, 300, 100, 500, 700}) {
    const ReadResult read = f.Read(Offset(at));
    requests += read.explanation.requests;
  }
  f.StopWarming();
  EXPECT_EQ(f.counters.requests, requests) << "only readers asked";
}

TEST(BlockWarmerTest, WhatIsCachedIsNotAskedForAgain) {
  WarmFixture f;
  f.Upload();
  f.Recycle();
  for (Offset at(0); at < Offset(kBatches * kRecordsPerBatch);) at = f.Read(at).next;
  const std::uint64_t requests = f.counters.requests;
  f.StartWarming();
  for (Offset at(0); at < Offset(kBatches * kRecordsPerBatch);) at = f.Read(at).next;
  f.StopWarming();
  EXPECT_EQ(f.counters.requests, requests);
}

TEST(BlockWarmerTest, ACacheThatWouldNotKeepThemIsLeftAlone) {
  WarmFixture f({.block_bytes_max = 40'000});
  f.Upload();
  f.Recycle();
  f.StartWarming();
  std::uint64_t requests = 0;
  for (Offset at(0); at < Offset(kBatches * kRecordsPerBatch);) {
    const ReadResult read = f.Read(at);
    requests += read.explanation.requests;
    at = read.next;
  }
  f.StopWarming();
  EXPECT_EQ(f.counters.requests, requests) << "only readers asked";
}

TEST(BlockWarmerTest, DamageAheadIsTheReadersToReport) {
  WarmFixture f;
  const std::string object = f.Upload();
  f.Recycle();
  const SharedBytes whole = f.store.Get(object, {0, UINT64_MAX}).value();
  std::vector<std::byte> damaged(whole.bytes().begin(), whole.bytes().end());
  damaged[155'000] ^= std::byte{1};
  ASSERT_TRUE(f.store.Put(object, std::vector{SharedBytes::Copy(damaged)}, PutMode::kOverwrite));
  f.StartWarming();
  const ReadResult first = f.Read(Offset(0));
  const ReadResult second = f.Read(first.next);
  f.StopWarming();
  EXPECT_EQ(f.counters.corruptions, 0u);
  Offset at = second.next;
  Result<ReadResult> read = f.partition.reader->Read(at, kLimits);
  while (read && read->next > at) {
    at = read->next;
    read = f.partition.reader->Read(at, kLimits);
  }
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kCorruption);
  ASSERT_NE(read.error().damage(), nullptr);
  EXPECT_EQ(read.error().damage()->begin, at);
  EXPECT_EQ(f.counters.corruptions, 1u);
  EXPECT_EQ(f.memory.bytes(), 0u);
}

TEST(BlockWarmerTest, ManyReadersUnderFaultsGetEverythingInOrder) {
  auto store = std::make_shared<MemoryObjectStore>();
  FaultyObjectStore faulty(store, 3);
  WarmFixture f({.block_bytes_max = 2 << 20, .objects = &faulty});
  const std::string object = f.Upload();
  ASSERT_TRUE(store->Put(object, std::vector{f.store.Get(object, {0, UINT64_MAX}).value()}, PutMode::kOverwrite));
  f.Recycle();
  faulty.SetPlan(ObjectFaultPlan().Set(ObjectFault::kErrorBefore, 200'000));
  f.StartWarming();
  std::vector<std::jthread> readers;
  for (int reader = 0; reader < 4; ++reader)
    readers.emplace_back([&] {
      std::int64_t expected = 0;
      while (expected < kBatches * kRecordsPerBatch) {
        const Result<ReadResult> read = f.partition.reader->Read(Offset(expected), kLimits);
        if (!read) {
          ASSERT_EQ(read.error().code(), ErrorCode::kUnavailable);
          continue;
        }
        for (const RecordView& record : read->records) ASSERT_EQ(record.offset, Offset(expected++));
        ASSERT_EQ(read->next, Offset(expected));
      }
    });
  readers.clear();
  f.StopWarming();
  EXPECT_EQ(f.memory.bytes(), 0u);
}

}  // namespace
}  // namespace millrace
