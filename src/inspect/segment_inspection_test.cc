// Goal: a damaged segment is shown as far as it can be, with the damaged bytes named (S-rows of damage). Method: a real
// segment of several blocks; each byte flipped in turn: damage is found, and its range holds that byte.
#include "inspect/segment_inspection.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"
#include "segment/segment_builder.h"

namespace millrace {
namespace {

std::vector<std::byte> SmallSegment() {
  SegmentBuilder builder({.partition = {TopicId(7), PartitionId(2)}, .codec = SegmentCodec::kNone, .block_bytes = 256});
  Offset next(10);
  for (int i = 0; i < 6; ++i) {
    std::vector<Record> records(2);
    for (Record& record : records) record.value = std::string(60, static_cast<char>('a' + i));
    auto batch = BuildRecordBatch(records, {.now_ms = 1000 + i});
    StampBatch(batch->bytes(), next, LeaderEpoch(1));
    next += 2;
    EXPECT_TRUE(builder.Add(std::move(*batch).Freeze()));
  }
  std::vector<std::byte> bytes;
  for (const SharedBytes& piece : builder.Finish()->pieces)
    bytes.insert(bytes.end(), piece.data(), piece.data() + piece.size());
  return bytes;
}

class Inspected {
 public:
  explicit Inspected(std::span<const std::byte> bytes) {
    InspectSegments(SharedBytes::Copy(bytes), RecordsShown::kYes, report_);
  }
  [[nodiscard]] const auto& damage() const { return report_.damage(); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  InspectionReport report_{[this](std::string_view text) { text_ += text; }, InspectionReport::Form::kText};
};

TEST(SegmentInspectionTest, SoundSegmentShowsAllAndNoDamage) {
  Inspected inspected(SmallSegment());
  EXPECT_TRUE(inspected.damage().empty());
  for (const char* part : {" block number=0", " batch base_offset=10", " record offset=21", " index_entry number=0",
                           " footer topic=7 partition=2"}) {
    EXPECT_NE(inspected.text().find(part), std::string::npos) << part;
  }
}

TEST(SegmentInspectionTest, SeveralSegmentsInOneObject) {
  std::vector<std::byte> bytes = SmallSegment(), second = SmallSegment();
  bytes.insert(bytes.end(), second.begin(), second.end());
  auto extents = FindSegments(bytes);
  ASSERT_EQ(extents.size(), 2u);
  EXPECT_EQ(extents[0].end, second.size());
  EXPECT_EQ(extents[1].begin, second.size());
  EXPECT_TRUE(Inspected(bytes).damage().empty());
}

TEST(SegmentInspectionTest, EveryFlippedByteLiesInARangeThatIsNamed) {
  std::vector<std::byte> bytes = SmallSegment();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] ^= std::byte{0x10};
    Inspected inspected(bytes);
    bool named = std::ranges::any_of(
        inspected.damage(), [&](const auto& damage) { return damage.range.begin <= at && at < damage.range.end; });
    EXPECT_TRUE(named) << "byte " << at;
    bytes[at] ^= std::byte{0x10};
  }
}

TEST(SegmentInspectionTest, EveryCutIsDamage) {
  std::vector<std::byte> bytes = SmallSegment();
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(Inspected(std::span(bytes).first(size)).damage().empty()) << size;
  }
}

}  // namespace
}  // namespace millrace
