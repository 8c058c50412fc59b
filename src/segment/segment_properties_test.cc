// Goal: for any run of batches, any block size and codec, a segment finds and gives back what a plain list would, and a
// single flipped bit or a cut anywhere is damage, never other data.
// Method: RapidCheck makes batches (with gaps and times in any order), seeks, flips and cuts. Proves B61, B62, S16,
// S21.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/crc32c.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"
#include "segment/segment_builder.h"
#include "segment/segment_reader.h"
#include "segment/segment_verifier.h"

namespace millrace {
namespace {

class SliceSource final : public BlockSource {
 public:
  explicit SliceSource(SharedBytes bytes) : bytes_(std::move(bytes)) {}
  Result<SharedBytes> Fetch(ByteRange range) override {
    if (range.offset > bytes_.size() || range.length > bytes_.size() - range.offset)
      return Error(ErrorCode::kCorruption, "beyond the end");
    return bytes_.Slice(range.offset, range.length);
  }

 private:
  SharedBytes bytes_;
};

struct Made {
  std::vector<SharedBytes> batches;
  std::vector<std::int64_t> times;  // the largest of each batch
  std::vector<std::byte> bytes;     // the segment
};

Made AnySegment() {
  Made made;
  SegmentBuilder builder({.partition = {TopicId(1), PartitionId(0)},
                          .codec = static_cast<SegmentCodec>(*rc::gen::inRange(0, 3)),
                          .block_bytes = *rc::gen::inRange<std::uint32_t>(1, 3000)});
  std::int64_t base = *rc::gen::inRange(0, 100);
  for (auto count = *rc::gen::inRange(1, 12); count > 0; --count) {
    std::vector<Record> records;
    for (auto r = *rc::gen::inRange(1, 6); r > 0; --r)
      records.push_back({.timestamp_ms = *rc::gen::inRange<std::int64_t>(1, 50),
                         .value = std::string(*rc::gen::inRange<std::size_t>(0, 400), 'v')});
    auto built = BuildRecordBatch(records, {});
    RC_ASSERT(built.has_value());
    StampBatch(built->bytes(), Offset(base), LeaderEpoch(0));
    base += static_cast<std::int64_t>(records.size()) + *rc::gen::inRange(0, 4);
    made.times.push_back(std::ranges::max(records, {}, &Record::timestamp_ms).timestamp_ms);
    made.batches.push_back(std::move(*built).Freeze());
    RC_ASSERT(builder.Add(made.batches.back()).has_value());
  }
  const auto segment = builder.Finish();
  RC_ASSERT(segment.has_value());
  for (const SharedBytes& piece : segment->pieces)
    made.bytes.insert(made.bytes.end(), piece.bytes().begin(), piece.bytes().end());
  return made;
}

bool Same(const SharedBytes& a, const SharedBytes& b) { return std::ranges::equal(a.bytes(), b.bytes()); }

RC_GTEST_PROP(SegmentProperties, ReadsFromAnyOffsetLikeAList, ()) {
  const Made made = AnySegment();
  SliceSource source(SharedBytes::Copy(made.bytes));
  const auto index = SegmentIndex::Load(source, made.bytes.size(), *rc::gen::inRange<std::uint64_t>(0, 1000));
  RC_ASSERT(index.has_value());
  const Offset from = *rc::gen::map(rc::gen::inRange<std::int64_t>(0, (*index)->end().value() + 2),
                                    [](std::int64_t offset) { return Offset(offset); });
  std::vector<SharedBytes> read;
  for (std::size_t i = (*index)->FindBlock(from); i < (*index)->blocks().size(); ++i) {
    const SegmentBlock& block = (*index)->blocks()[i];
    const auto raw = OpenBlock(block, *source.Fetch({block.byte_begin, block.stored_bytes}));
    RC_ASSERT(raw.has_value());
    const auto batches = SplitBatches(*raw, from);
    RC_ASSERT(batches.has_value());
    read.insert(read.end(), batches->begin(), batches->end());
  }
  const auto wanted = std::ranges::find_if(
      made.batches, [&](const SharedBytes& batch) { return RecordBatchView::Parse(batch)->end_offset() > from; });
  RC_ASSERT(std::equal(wanted, made.batches.end(), read.begin(), read.end(), Same));
}

RC_GTEST_PROP(SegmentProperties, TimeFindsTheBlockThatHoldsTheFirstBatchAtOrPastIt, (std::uint8_t time)) {
  const Made made = AnySegment();
  SliceSource source(SharedBytes::Copy(made.bytes));
  const auto index = *SegmentIndex::Load(source, made.bytes.size());
  const std::size_t found = index->FindBlockByTime(time);
  const auto wanted = std::ranges::find_if(made.times, [&](std::int64_t t) { return t >= time; });
  if (wanted == made.times.end()) {
    RC_ASSERT(found == index->blocks().size());
    return;
  }
  const auto batch = RecordBatchView::Parse(made.batches[static_cast<std::size_t>(wanted - made.times.begin())]);
  RC_ASSERT((index->blocks()[found].base <= batch->base_offset() && batch->end_offset() <= index->blocks()[found].end));
}

RC_GTEST_PROP(SegmentProperties, BlocksTellTheCrcOfTheirBytesSideBySide, ()) {
  const Made made = AnySegment();
  SliceSource source(SharedBytes::Copy(made.bytes));
  const auto index = *SegmentIndex::Load(source, made.bytes.size());
  std::uint32_t crc = 0;
  for (const SegmentBlock& block : index->blocks()) {
    const SharedBytes stored = *source.Fetch({block.byte_begin, block.stored_bytes});
    crc = StoredCrc(block, stored, crc);
    const auto blocks = std::span(made.bytes).first(block.byte_begin + block.stored_bytes);
    RC_ASSERT(crc == Crc32c(blocks.subspan(index->blocks().front().byte_begin)));
    if (const auto opened = OpenUncompressed(block, stored)) {
      const auto batches = *OpenBatches(block, stored);
      RC_ASSERT(std::equal(opened->begin(), opened->end(), batches.begin(), batches.end(), Same));
    }
  }
}

RC_GTEST_PROP(SegmentProperties, OneFlippedBitIsDamage, ()) {
  Made made = AnySegment();
  const auto bit = *rc::gen::inRange<std::size_t>(0, made.bytes.size() * 8);
  made.bytes[bit / 8] ^= std::byte(1U << (bit % 8));
  SliceSource source(SharedBytes::Copy(made.bytes));
  const auto check = VerifySegment(source, made.bytes.size());
  RC_ASSERT((check.has_value() ? check->damage.size() == 1 : check.error().code() == ErrorCode::kCorruption));
}

RC_GTEST_PROP(SegmentProperties, ACutIsDamage, ()) {
  Made made = AnySegment();
  made.bytes.resize(*rc::gen::inRange<std::size_t>(0, made.bytes.size()));
  SliceSource source(SharedBytes::Copy(made.bytes));
  RC_ASSERT(VerifySegment(source, made.bytes.size()).error().code() == ErrorCode::kCorruption);
}

}  // namespace
}  // namespace millrace
