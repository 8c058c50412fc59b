#include "segment_flips.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"
#include "segment/segment_builder.h"
#include "segment/segment_reader.h"

namespace millrace {
namespace {

class FlippedSource final : public BlockSource {
 public:
  explicit FlippedSource(std::vector<std::byte> bytes) : bytes(std::move(bytes)) {}
  Result<SharedBytes> Fetch(ByteRange range) override {
    if (range.offset > bytes.size() || range.length > bytes.size() - range.offset)
      return Error(ErrorCode::kCorruption, "beyond the end");
    // No copy: no reader keeps what was read past the next flip.
    return SharedBytes(nullptr, std::span<const std::byte>(bytes).subspan(range.offset, range.length));
  }
  std::vector<std::byte> bytes;
};

struct Sample {
  std::string name;
  std::vector<SharedBytes> batches;
  std::vector<std::byte> segment;
};

Sample MakeSample(SegmentCodec codec, Compression compression, std::uint32_t seed) {
  std::mt19937 random(seed);
  Sample sample{.name = "a segment, codec " + std::to_string(static_cast<int>(codec)) + ", batches in codec " +
                        std::to_string(static_cast<int>(compression))};
  SegmentBuilder builder({.partition = {TopicId(9), PartitionId(2)}, .codec = codec, .block_bytes = 700});
  std::int64_t base = 500;
  for (int i = 0; i < 8; ++i) {
    std::vector<Record> records(1 + random() % 4);
    for (Record& record : records) {
      record.timestamp_ms = 1'700'000'000'000 + static_cast<std::int64_t>(random() % 1000);
      if (random() % 2 != 0) record.key = "key-" + std::to_string(random() % 100);
      record.value = std::string(random() % 150, 'v') + std::to_string(random());
    }
    auto built = BuildRecordBatch(records, {.compression = compression});
    MR_CHECK(built);
    StampBatch(built->bytes(), Offset(base), LeaderEpoch(4));
    base += static_cast<std::int64_t>(records.size() + random() % 2);
    sample.batches.push_back(std::move(*built).Freeze());
    MR_CHECK(builder.Add(sample.batches.back()));
  }
  const auto segment = builder.Finish();
  MR_CHECK(segment);
  for (const SharedBytes& piece : segment->pieces)
    sample.segment.insert(sample.segment.end(), piece.bytes().begin(), piece.bytes().end());
  return sample;
}

/// kTyped: kCorruption, with the flipped byte in the range it names. Anything else is wrong.
FlipOutcome JudgeError(const Error& error, std::size_t byte) {
  const DamagedRange* damage = error.damage();
  const bool names_it = damage != nullptr && damage->byte_begin <= byte && byte < damage->byte_end;
  return error.code() == ErrorCode::kCorruption && names_it ? FlipOutcome::kTyped : FlipOutcome::kWrong;
}

/// Reads every block: a damaged one must say so, all others must hold the batches that were put in.
FlipOutcome ReadBack(const Sample& sample, FlippedSource& source, std::size_t byte) {
  const auto index = SegmentIndex::Load(source, source.bytes.size());
  if (!index) return JudgeError(index.error(), byte);
  auto expected = sample.batches.begin();
  int damaged = 0;
  for (const SegmentBlock& block : (*index)->blocks()) {
    const auto raw = OpenBlock(block, *source.Fetch({block.byte_begin, block.stored_bytes}));
    if (!raw) {
      if (JudgeError(raw.error(), byte) == FlipOutcome::kWrong) return FlipOutcome::kWrong;
      ++damaged;
      while (expected != sample.batches.end() && RecordBatchView::Parse(*expected)->base_offset() < block.end)
        ++expected;
      continue;
    }
    const auto batches = SplitBatches(*raw, Offset(0));
    if (!batches) return FlipOutcome::kWrong;  // the block's CRC was right
    for (const SharedBytes& batch : *batches) {
      if (expected == sample.batches.end() || !std::ranges::equal(batch.bytes(), expected->bytes()))
        return FlipOutcome::kWrong;
      ++expected;
    }
  }
  if (expected != sample.batches.end() || damaged > 1) return FlipOutcome::kWrong;
  return damaged == 0 ? FlipOutcome::kRight : FlipOutcome::kTyped;
}

void FlipEachBit(const Sample& sample, FlipReport& report) {
  FlippedSource source(sample.segment);
  MR_CHECK(ReadBack(sample, source, 0) == FlipOutcome::kRight);
  for (std::size_t byte = 0; byte < source.bytes.size(); ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      source.bytes[byte] ^= std::byte(1U << bit);
      report.Count(ReadBack(sample, source, byte), sample.name.c_str(), byte, bit);
      source.bytes[byte] ^= std::byte(1U << bit);
    }
  }
}

}  // namespace

void FlipSegments(FlipReport& report) {
  constexpr std::uint32_t kSamplesPerCodec = 5;
  std::uint32_t seed = 0;
  for (int codec = 0; codec <= static_cast<int>(SegmentCodec::kZstd); ++codec) {
    for (int compression = 0; compression <= static_cast<int>(Compression::kZstd); ++compression) {
      for (std::uint32_t i = 0; i < kSamplesPerCodec; ++i)
        FlipEachBit(MakeSample(static_cast<SegmentCodec>(codec), static_cast<Compression>(compression), ++seed),
                    report);
    }
  }
}

}  // namespace millrace
