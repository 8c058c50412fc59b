// Goal: a segment gives back the batches that went in, wherever a reader begins; damage of any single byte is noticed;
// nothing in it is believed before it was checked.
// Method: build with each codec, load through a counting source, compare with the batches; then flip every byte, cut at
// every byte, and forge fields with right CRCs. Proves B61, B62, B63, B64 for the format, S16, S21, S35, W35 (true
// times, every byte under a checksum), S15 and W34 (a seek touches the index and one block).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"
#include "segment/segment_builder.h"
#include "segment/segment_format.h"
#include "segment/segment_reader.h"
#include "segment/segment_verifier.h"

namespace millrace {
namespace {

constexpr SegmentCodec kCodecs[] = {SegmentCodec::kNone, SegmentCodec::kLz4, SegmentCodec::kZstd};
constexpr PartitionKey kPartition{TopicId(77), PartitionId(3)};

class MemorySource final : public BlockSource {
 public:
  explicit MemorySource(std::vector<std::byte> bytes) : bytes(std::move(bytes)) {}
  Result<SharedBytes> Fetch(ByteRange range) override {
    ++fetches;
    bytes_fetched += range.length;
    if (range.offset > bytes.size() || range.length > bytes.size() - range.offset)
      return Error(ErrorCode::kCorruption, "beyond the end");
    return SharedBytes::Copy(std::span(bytes).subspan(range.offset, range.length));
  }
  std::vector<std::byte> bytes;
  int fetches = 0;
  std::uint64_t bytes_fetched = 0;
};

SharedBytes BatchAt(std::int64_t base, std::span<const Record> records, Compression compression = Compression::kNone) {
  auto built = BuildRecordBatch(records, {.compression = compression, .now_ms = 1000});
  EXPECT_TRUE(built);
  StampBatch(built->bytes(), Offset(base), LeaderEpoch(1));
  return std::move(*built).Freeze();
}

/// `count` records in batches of up to `per_batch`, with a gap of `gap` offsets after each batch.
std::vector<SharedBytes> SomeBatches(int count, int per_batch, int gap, std::uint32_t seed = 5) {
  std::mt19937 random(seed);
  std::vector<SharedBytes> batches;
  std::int64_t base = 1000;
  while (count > 0) {
    std::vector<Record> records;
    for (int i = 0; i < per_batch && count > 0; ++i, --count) {
      Record record{.timestamp_ms = 5000 + static_cast<std::int64_t>(random() % 100)};
      if (random() % 2 != 0) record.key = std::string(random() % 20, 'k');
      if (random() % 8 != 0) {
        record.value = std::string(random() % 300, 'v');
        for (std::size_t b = 0; b < record.value->size(); b += 3) (*record.value)[b] = static_cast<char>(random());
      }
      records.push_back(std::move(record));
    }
    batches.push_back(BatchAt(base, records));
    base += static_cast<std::int64_t>(records.size()) + gap;
  }
  return batches;
}

std::vector<std::byte> Joined(const BuiltSegment& segment) {
  std::vector<std::byte> bytes;
  for (const SharedBytes& piece : segment.pieces) bytes.insert(bytes.end(), piece.bytes().begin(), piece.bytes().end());
  EXPECT_EQ(bytes.size(), segment.size_bytes);
  return bytes;
}

BuiltSegment Built(const std::vector<SharedBytes>& batches, SegmentCodec codec, std::uint32_t block_bytes = 4096) {
  SegmentBuilder builder({.partition = kPartition, .codec = codec, .block_bytes = block_bytes});
  for (const SharedBytes& batch : batches) {
    const auto added = builder.Add(batch);
    EXPECT_TRUE(added) << added.error().message();
  }
  auto built = builder.Finish();
  EXPECT_TRUE(built);
  return std::move(*built);
}

/// Every batch from the one containing `from` on, as a reader gets them.
Result<std::vector<SharedBytes>> ReadFrom(BlockSource& source, std::uint64_t size_bytes, Offset from) {
  const auto index = SegmentIndex::Load(source, size_bytes);
  if (!index) return index.error();
  std::vector<SharedBytes> batches;
  for (std::size_t i = (*index)->FindBlock(from); i < (*index)->blocks().size(); ++i) {
    const SegmentBlock& block = (*index)->blocks()[i];
    const auto stored = source.Fetch({block.byte_begin, block.stored_bytes});
    if (!stored) return stored.error();
    const auto split = [&]() -> Result<std::vector<SharedBytes>> {
      if (from <= block.base) return OpenBatches(block, *stored);
      const auto raw = OpenBlock(block, *stored);
      if (!raw) return raw.error();
      return SplitBatches(*raw, from);
    }();
    if (!split) return split.error();
    batches.insert(batches.end(), split->begin(), split->end());
  }
  return batches;
}

bool Same(const SharedBytes& a, const SharedBytes& b) { return std::ranges::equal(a.bytes(), b.bytes()); }

TEST(SegmentTest, RoundTripsForEveryCodecSizeAndGap) {
  for (const SegmentCodec codec : kCodecs) {
    for (const int count : {1, 10, 150, 500, 1000}) {
      for (const int gap : {0, 7}) {
        const auto batches = SomeBatches(count, 9, gap);
        const BuiltSegment built = Built(batches, codec);
        MemorySource source(Joined(built));
        const auto index = SegmentIndex::Load(source, built.size_bytes);
        ASSERT_TRUE(index) << index.error().message();
        EXPECT_EQ((*index)->partition(), kPartition);
        EXPECT_EQ((*index)->base(), built.base);
        EXPECT_EQ((*index)->end(), built.end);
        EXPECT_EQ((*index)->records(), static_cast<std::uint64_t>(count));
        EXPECT_EQ((*index)->timestamp_min_ms(), built.timestamp_min_ms);
        EXPECT_EQ((*index)->timestamp_max_ms(), built.timestamp_max_ms);
        const auto read = ReadFrom(source, built.size_bytes, Offset(0));
        ASSERT_TRUE(read);
        EXPECT_TRUE(std::ranges::equal(*read, batches, Same));
        const auto check = VerifySegment(source, built.size_bytes);
        ASSERT_TRUE(check);
        EXPECT_TRUE(check->damage.empty());
        EXPECT_EQ(check->batches, batches.size());
        EXPECT_EQ(check->records, static_cast<std::uint64_t>(count));
      }
    }
  }
}

TEST(SegmentTest, ReadingBeginsAtTheBatchThatHoldsTheOffset) {
  const auto batches = SomeBatches(300, 7, 3);
  for (const SegmentCodec codec : kCodecs) {
    const BuiltSegment built = Built(batches, codec, 2000);
    MemorySource source(Joined(built));
    for (std::int64_t from = 990; from <= built.end.value() + 2; ++from) {
      const auto read = ReadFrom(source, built.size_bytes, Offset(from));
      ASSERT_TRUE(read);
      const auto wanted = std::ranges::find_if(batches, [&](const SharedBytes& batch) {
        return RecordBatchView::Parse(batch)->end_offset() > Offset(from);
      });
      ASSERT_EQ(read->size(), static_cast<std::size_t>(batches.end() - wanted)) << from;
      ASSERT_TRUE(std::equal(wanted, batches.end(), read->begin(), Same));
    }
  }
}

TEST(SegmentTest, ASeekTouchesTheIndexAndOneBlock) {
  const auto batches = SomeBatches(5000, 10, 0);
  const BuiltSegment built = Built(batches, SegmentCodec::kNone);
  MemorySource source(Joined(built));
  const auto index = SegmentIndex::Load(source, built.size_bytes);
  ASSERT_TRUE(index);
  ASSERT_GT((*index)->blocks().size(), 100U);
  EXPECT_EQ(source.fetches, 1);
  const Offset wanted = built.base + 2500;
  const SegmentBlock& block = (*index)->blocks()[(*index)->FindBlock(wanted)];
  EXPECT_LE(block.base, wanted);
  EXPECT_GT(block.end, wanted);
  EXPECT_LE(block.stored_bytes, 4096U + segment_format::block::kHeaderBytes);

  source.fetches = 0;
  ASSERT_TRUE(SegmentIndex::Load(source, built.size_bytes, 1));
  EXPECT_EQ(source.fetches, 2);
}

TEST(SegmentTest, TimesAreTheRecordsOwn) {
  for (const Compression compression : {Compression::kNone, Compression::kZstd}) {
    const std::vector<Record> records = {{.timestamp_ms = 100}, {.timestamp_ms = 50}, {.timestamp_ms = 70}};
    const BuiltSegment built = Built({BatchAt(0, records, compression)}, SegmentCodec::kLz4);
    EXPECT_EQ(built.timestamp_min_ms, 50);
    EXPECT_EQ(built.timestamp_max_ms, 100);
  }
}

TEST(SegmentTest, TimesOfABatchThatInflatesToTooMuchAreItsHeaders) {
  const std::string large(16 << 20, 'v');
  const std::vector<Record> records = {{.timestamp_ms = 60, .value = large}, {.timestamp_ms = 40, .value = large}};
  const BatchBuildOptions options{
      .compression = Compression::kZstd, .now_ms = 1, .record_bytes_max = 32 << 20, .batch_bytes_max = 64 << 20};
  auto batch = BuildRecordBatch(records, options);
  ASSERT_TRUE(batch);
  StampBatch(batch->bytes(), Offset(0), LeaderEpoch(1));
  const BuiltSegment built = Built({std::move(*batch).Freeze()}, SegmentCodec::kNone);
  EXPECT_EQ(built.timestamp_min_ms, 60);  // the first record's, which the header has, and not the least
  EXPECT_EQ(built.timestamp_max_ms, 60);
}

TEST(SegmentTest, TimeFindsTheFirstBlockThatReachesIt) {
  std::vector<SharedBytes> batches;
  const std::vector<std::int64_t> times = {10, 40, 20, 30, 60, 50};
  for (std::size_t i = 0; i < times.size(); ++i)
    batches.push_back(BatchAt(static_cast<std::int64_t>(i), std::vector<Record>{{.timestamp_ms = times[i]}}));
  const BuiltSegment built = Built(batches, SegmentCodec::kNone, 1);
  MemorySource source(Joined(built));
  const auto index = SegmentIndex::Load(source, built.size_bytes);
  ASSERT_TRUE(index);
  ASSERT_EQ((*index)->blocks().size(), times.size());
  for (std::int64_t t = 0; t < 70; ++t) {
    const auto wanted = std::ranges::find_if(times, [&](std::int64_t time) { return time >= t; }) - times.begin();
    EXPECT_EQ((*index)->FindBlockByTime(t), static_cast<std::size_t>(wanted)) << t;
  }
}

TEST(SegmentTest, CodecsShrinkWhatRepeatsAndLeaveTheRest) {
  const std::string repetitive(20'000, 'r');
  std::string noise(20'000, '\0');
  std::mt19937 random(1);
  for (char& byte : noise) byte = static_cast<char>(random());
  const auto size = [](const std::string& value, SegmentCodec codec) {
    return Built({BatchAt(0, std::vector<Record>{{.value = value}})}, codec).size_bytes;
  };
  EXPECT_LT(size(repetitive, SegmentCodec::kLz4), size(repetitive, SegmentCodec::kNone) / 10);
  EXPECT_LT(size(repetitive, SegmentCodec::kZstd), size(repetitive, SegmentCodec::kNone) / 10);
  EXPECT_EQ(size(noise, SegmentCodec::kLz4), size(noise, SegmentCodec::kNone));
  EXPECT_EQ(size(noise, SegmentCodec::kZstd), size(noise, SegmentCodec::kNone));
}

TEST(SegmentTest, WhileBlocksDoNotShrinkOnlySomeAreTriedAndShrinkingOnesAreFoundAgain) {
  std::mt19937 random(1);
  std::vector<SharedBytes> batches;
  const auto add = [&](std::size_t count, bool noise) {
    for (std::size_t i = 0; i < count; ++i) {
      std::string value(20'000, 'r');
      if (noise) std::ranges::generate(value, [&] { return static_cast<char>(random()); });
      batches.push_back(
          BatchAt(static_cast<std::int64_t>(batches.size()), std::vector<Record>{{.value = std::move(value)}}));
    }
  };
  // Of blocks that do not shrink number 1, 3, 7, 15 and then each 16th are tried.
  add(1, true);
  add(3, false);
  add(100, true);
  add(30, false);
  const BuiltSegment built = Built(batches, SegmentCodec::kLz4, 1);
  MemorySource source(Joined(built));
  const auto index = SegmentIndex::Load(source, built.size_bytes);
  const auto blocks = (*index)->blocks();
  ASSERT_EQ(blocks.size(), batches.size());
  const auto shrank = [&](std::size_t i) { return blocks[i].stored_bytes < blocks[i].raw_bytes; };
  EXPECT_FALSE(shrank(1)) << "not tried: the one before it did not shrink";
  EXPECT_TRUE(shrank(2) && shrank(3));
  std::size_t first = 104;
  while (first < blocks.size() && !shrank(first)) ++first;
  EXPECT_LE(first, 104U + 15);
  for (std::size_t i = first; i < blocks.size(); ++i) EXPECT_TRUE(shrank(i)) << i;
}

TEST(SegmentTest, UncompressedBlocksAreSlicesOfWhatWasFetched) {
  const BuiltSegment built = Built(SomeBatches(50, 5, 0), SegmentCodec::kNone);
  MemorySource source(Joined(built));
  const auto index = SegmentIndex::Load(source, built.size_bytes);
  const SegmentBlock& block = (*index)->blocks()[0];
  const auto stored = source.Fetch({block.byte_begin, block.stored_bytes});
  const auto raw = OpenBlock(block, *stored);
  EXPECT_EQ(raw->data(), stored->data() + segment_format::block::kHeaderBytes);
  const auto batches = SplitBatches(*raw, Offset(0));
  EXPECT_EQ(batches->front().data(), raw->data());
}

TEST(SegmentTest, EmptyDisorderedAndDamagedBatchesAreRefused) {
  SegmentBuilder builder({.partition = kPartition});
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.Finish().error().code(), ErrorCode::kInvalidArgument);
  const auto batches = SomeBatches(30, 10, 0);
  ASSERT_TRUE(builder.Add(batches[1]));
  EXPECT_EQ(builder.Add(batches[0]).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(builder.Add(batches[1]).error().code(), ErrorCode::kInvalidArgument);
  std::vector<std::byte> damaged(batches[2].bytes().begin(), batches[2].bytes().end());
  damaged.back() ^= std::byte{1};
  EXPECT_EQ(builder.Add(SharedBytes::Copy(damaged)).error().code(), ErrorCode::kCorruption);
  damaged.back() ^= std::byte{1};
  damaged.push_back(std::byte{0});
  EXPECT_EQ(builder.Add(SharedBytes::Copy(damaged)).error().code(), ErrorCode::kCorruption);
  ASSERT_TRUE(builder.Add(batches[2]));
  const auto built = builder.Finish();
  ASSERT_TRUE(built);
  EXPECT_EQ(built->base, RecordBatchView::Parse(batches[1])->base_offset());
  EXPECT_EQ(built->records, 20U);
}

TEST(SegmentTest, EveryFlippedByteIsNoticedAndNamed) {
  const auto batches = SomeBatches(18, 3, 1);
  for (const SegmentCodec codec : kCodecs) {
    const BuiltSegment built = Built(batches, codec, 600);
    MemorySource source(Joined(built));
    for (std::size_t at = 0; at < source.bytes.size(); ++at) {
      for (const unsigned mask : {1U, 0x80U, 0xffU}) {
        source.bytes[at] ^= std::byte(mask);
        const auto read = ReadFrom(source, built.size_bytes, Offset(0));
        ASSERT_FALSE(read) << at;
        ASSERT_EQ(read.error().code(), ErrorCode::kCorruption) << at;
        const DamagedRange* damage = read.error().damage();
        ASSERT_NE(damage, nullptr) << at;
        ASSERT_LE(damage->byte_begin, at);
        ASSERT_GT(damage->byte_end, at);
        const auto check = VerifySegment(source, built.size_bytes);
        ASSERT_TRUE(!check || check->damage.size() == 1) << at;
        source.bytes[at] ^= std::byte(mask);
      }
    }
  }
}

/// Large batches and small ones in one block: the CRCs of large ones are joined.
TEST(SegmentTest, OnePassOverABlockTakesWhatTwoTakeAndNothingElse) {
  std::vector<SharedBytes> batches;
  std::int64_t base = 0;
  for (const std::size_t bytes : {40'000, 10, 20'000, 300, 16'000, 70'000}) {
    std::string value(bytes, 'v');
    for (std::size_t i = 0; i < bytes; ++i) value[i] = static_cast<char>(i * i >> 3);
    const Record records[] = {{.value = value}, {.value = "w"}};
    batches.push_back(BatchAt(base += 2, records));
  }
  const BuiltSegment built = Built(batches, SegmentCodec::kNone, 1 << 20);
  MemorySource source(Joined(built));
  const auto index = SegmentIndex::Load(source, built.size_bytes);
  ASSERT_TRUE(index);
  ASSERT_EQ((*index)->blocks().size(), 1U);
  SegmentBlock block = (*index)->blocks()[0];
  SharedBytes stored = *source.Fetch({block.byte_begin, block.stored_bytes});
  const auto opened = OpenBatches(block, stored);
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->size(), batches.size());
  for (std::size_t i = 0; i < batches.size(); ++i) EXPECT_TRUE(Same((*opened)[i], batches[i]));
  EXPECT_EQ(opened->front().owner(), stored.owner());

  std::vector<std::byte> bytes(stored.bytes().begin(), stored.bytes().end());
  for (std::size_t at = 0; at < bytes.size(); at += at < 400 ? 1 : 997) {
    bytes[at] ^= std::byte{0x10};
    const auto flipped = OpenBatches(block, SharedBytes::Copy(bytes));
    ASSERT_FALSE(flipped) << at;
    EXPECT_EQ(flipped.error().code(), ErrorCode::kCorruption) << at;
    bytes[at] ^= std::byte{0x10};
  }
  // A batch that was wrong before the block's CRC was taken.
  namespace layout = segment_format::block;
  bytes[layout::kHeaderBytes + 30'000] ^= std::byte{1};
  block.crc = Crc32c(std::span(bytes).subspan(layout::kHeaderBytes), Crc32c(std::span(bytes).first(layout::kCrc)));
  PutLe(bytes.data() + layout::kCrc, block.crc);
  ASSERT_TRUE(OpenBlock(block, SharedBytes::Copy(bytes)));
  EXPECT_EQ(OpenBatches(block, SharedBytes::Copy(bytes)).error().code(), ErrorCode::kCorruption);
}

TEST(SegmentTest, EveryWrongLengthIsRefused) {
  const BuiltSegment built = Built(SomeBatches(20, 6, 1), SegmentCodec::kLz4, 1500);
  const auto whole = Joined(built);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    MemorySource front({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_EQ(SegmentIndex::Load(front, size).error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(SegmentIndex::Load(front, whole.size()).error().code(), ErrorCode::kCorruption);
    MemorySource back({whole.end() - static_cast<std::ptrdiff_t>(size), whole.end()});
    EXPECT_EQ(SegmentIndex::Load(back, size).error().code(), ErrorCode::kCorruption);
  }
}

TEST(SegmentTest, SegmentsStandSideBySideInOneObject) {
  const BuiltSegment first = Built(SomeBatches(40, 6, 1, 1), SegmentCodec::kLz4);
  const BuiltSegment second = Built(SomeBatches(50, 6, 1, 2), SegmentCodec::kZstd);
  std::vector<std::byte> object = Joined(first);
  const auto more = Joined(second);
  object.insert(object.end(), more.begin(), more.end());
  // From the object's end, each footer tells where its segment begins.
  MemorySource last({object.begin() + static_cast<std::ptrdiff_t>(first.size_bytes), object.end()});
  EXPECT_EQ((*SegmentIndex::Load(last, second.size_bytes))->records(), 50U);
  object.resize(first.size_bytes);
  MemorySource before(object);
  EXPECT_EQ((*SegmentIndex::Load(before, first.size_bytes))->records(), 40U);
}

TEST(SegmentTest, ABlockThatIsNotTheOneWantedIsRefused) {
  const BuiltSegment built = Built(SomeBatches(200, 6, 0), SegmentCodec::kNone, 1500);
  MemorySource source(Joined(built));
  const auto index = SegmentIndex::Load(source, built.size_bytes);
  const auto blocks = (*index)->blocks();
  const auto other = source.Fetch({blocks[1].byte_begin, blocks[1].stored_bytes});
  SegmentBlock wanted = blocks[0];
  wanted.stored_bytes = blocks[1].stored_bytes;
  wanted.raw_bytes = blocks[1].raw_bytes;
  EXPECT_EQ(OpenBlock(wanted, *other).error().code(), ErrorCode::kCorruption);
}

/// A segment of three blocks whose footer and index are changed by `change` and made right again.
ErrorCode LoadError(const std::function<void(std::byte* index, std::byte* footer)>& change) {
  namespace footer = segment_format::footer;
  const BuiltSegment built = Built(SomeBatches(3, 1, 0), SegmentCodec::kNone, 1);
  MemorySource source(Joined(built));
  const std::size_t index_bytes = 3 * segment_format::entry::kBytes;
  std::byte* foot = source.bytes.data() + source.bytes.size() - footer::kBytes;
  std::byte* index = foot - index_bytes;
  change(index, foot);
  PutLe(foot + footer::kIndexCrc, Crc32c({index, index_bytes}));
  PutLe(foot + footer::kCrc, Crc32c({foot, footer::kCrc}));
  const auto loaded = SegmentIndex::Load(source, source.bytes.size());
  return loaded ? ErrorCode::kInternal : loaded.error().code();
}

TEST(SegmentTest, ForgedFootersAndIndexesWithRightCrcsAreRefused) {
  namespace footer = segment_format::footer;
  namespace entry = segment_format::entry;
  ASSERT_EQ(LoadError([](std::byte*, std::byte*) {}), ErrorCode::kInternal);  // unchanged: it loads
  EXPECT_EQ(LoadError([](std::byte*, std::byte* foot) { PutLe(foot + footer::kVersion, 2U); }),
            ErrorCode::kUnsupported);
  const auto forge_footer = [](std::size_t at, auto value) {
    return LoadError([=](std::byte*, std::byte* foot) { PutLe(foot + at, value); });
  };
  for (const std::uint32_t blocks : {0U, 2U, 4U, 0xffffffffU})
    EXPECT_EQ(forge_footer(footer::kBlocks, blocks), ErrorCode::kCorruption);
  EXPECT_EQ(forge_footer(footer::kBase, std::int64_t{999}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_footer(footer::kEnd, std::int64_t{9999}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_footer(footer::kTimestampMin, std::int64_t{1}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_footer(footer::kTimestampMax, std::int64_t{1}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_footer(footer::kRecords, std::uint64_t{4}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_footer(footer::kSegmentBytes, std::uint64_t{1}), ErrorCode::kCorruption);
  const auto forge_entry = [](std::size_t at, auto value) {
    return LoadError([=](std::byte* index, std::byte*) { PutLe(index + entry::kBytes + at, value); });
  };
  EXPECT_EQ(forge_entry(entry::kBase, std::int64_t{1000}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_entry(entry::kBase, std::int64_t{-5}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_entry(entry::kEnd, std::int64_t{1001}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_entry(entry::kEnd, std::int64_t{5000}), ErrorCode::kCorruption);
  EXPECT_EQ(forge_entry(entry::kTimestampMin, std::numeric_limits<std::int64_t>::max()), ErrorCode::kCorruption);
  for (const std::uint32_t bytes : {0U, 20U, 100'000U, 0xffffffffU})
    EXPECT_EQ(forge_entry(entry::kBlockBytes, bytes), ErrorCode::kCorruption);
  EXPECT_EQ(forge_entry(entry::kRawBytes, 0U), ErrorCode::kCorruption);
  for (const std::uint32_t records : {0U, 2U, 0xffffffffU})
    EXPECT_EQ(forge_entry(entry::kRecords, records), ErrorCode::kCorruption);
}

TEST(SegmentTest, ForgedBlocksWithARightCrcAreRefused) {
  namespace layout = segment_format::block;
  for (const SegmentCodec codec : kCodecs) {
    const BuiltSegment built = Built({BatchAt(0, std::vector<Record>{{.value = std::string(5000, 'x')}})}, codec);
    MemorySource source(Joined(built));
    const auto index = SegmentIndex::Load(source, built.size_bytes);
    const SegmentBlock block = (*index)->blocks()[0];
    const auto open = [&](std::size_t at, auto value, std::uint32_t raw_bytes) {
      std::vector<std::byte> bytes(source.bytes.begin(), source.bytes.begin() + block.stored_bytes);
      PutLe(bytes.data() + at, value);
      SegmentBlock forged = block;
      forged.raw_bytes = raw_bytes;
      forged.crc = Crc32c(std::span(bytes).subspan(layout::kHeaderBytes), Crc32c(std::span(bytes).first(layout::kCrc)));
      PutLe(bytes.data() + layout::kCrc, forged.crc);
      const auto opened = OpenBlock(forged, SharedBytes::Copy(bytes));
      return opened ? ErrorCode::kInternal : opened.error().code();
    };
    EXPECT_EQ(open(layout::kRawBytes, block.raw_bytes, block.raw_bytes), ErrorCode::kInternal);  // unchanged: it opens
    EXPECT_EQ(open(layout::kMagic, std::uint32_t{0}, block.raw_bytes), ErrorCode::kCorruption);
    for (const std::uint8_t unknown : {3, 255})
      EXPECT_EQ(open(layout::kCodec, unknown, block.raw_bytes), ErrorCode::kCorruption);
    EXPECT_EQ(open(layout::kStoredBytes, std::uint32_t{1}, block.raw_bytes), ErrorCode::kCorruption);
    for (const std::uint32_t raw : {0U, 1U, block.raw_bytes - 1, block.raw_bytes + 1, 0x7fffffffU, 0xffffffffU}) {
      EXPECT_EQ(open(layout::kRawBytes, raw, raw), ErrorCode::kCorruption) << raw;
      EXPECT_EQ(open(layout::kRawBytes, raw, block.raw_bytes), ErrorCode::kCorruption) << raw;
    }
  }
}

}  // namespace
}  // namespace millrace
