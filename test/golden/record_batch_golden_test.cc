// Goal: the bytes of a RecordBatch v2 are Kafka's and never change.
// Method: files written by an independent program (and, compressed, by the codecs' own tools) are decoded; the plain
// one is built again byte for byte and equals the dump in docs/format/record-batch.md.
#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "golden_file.h"
#include "record/batch_validator.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"

namespace millrace {
namespace {

constexpr std::int64_t kTime = 1'700'000'000'000;

std::vector<Record> Expected() {
  return {{.offset = Offset(7), .timestamp_ms = kTime, .value = "hello"},
          {.offset = Offset(8), .timestamp_ms = kTime - 5, .key = "k", .value = "", .headers = {{"h", {}}}}};
}

class RecordBatchGoldenTest : public testing::TestWithParam<const char*> {};

TEST_P(RecordBatchGoldenTest, Decodes) {
  const SharedBytes batch = SharedBytes::Copy(ReadGolden(GetParam()));
  const auto view = ValidateBatch(batch, {});
  ASSERT_TRUE(view) << view.error().message();
  EXPECT_EQ(view->leader_epoch(), LeaderEpoch(3));
  std::vector<RecordView> views;
  ASSERT_TRUE(DecodeRecords(batch, {}, views));
  std::vector<Record> records;
  for (const RecordView& record : views) records.push_back(record.ToRecord());
  EXPECT_EQ(records, Expected());
}

INSTANTIATE_TEST_SUITE_P(Codecs, RecordBatchGoldenTest,
                         testing::Values("record-batch-v2.bin", "record-batch-v2-gzip.bin",
                                         "record-batch-v2-snappy-raw.bin", "record-batch-v2-snappy-xerial.bin",
                                         "record-batch-v2-lz4.bin", "record-batch-v2-zstd.bin"));

TEST(RecordBatchGoldenFileTest, IsBuiltAgainByteForByte) {
  auto built = BuildRecordBatch(Expected(), {});
  ASSERT_TRUE(built);
  StampBatch(built->bytes(), Offset(7), LeaderEpoch(3));
  const auto bytes = std::as_const(*built).bytes();
  EXPECT_EQ(std::vector(bytes.begin(), bytes.end()), ReadGolden("record-batch-v2.bin"));
}

TEST(RecordBatchGoldenFileTest, IsTheOneInThePage) {
  EXPECT_EQ(BytesInPage("record-batch.md"), ReadGolden("record-batch-v2.bin"));
}

}  // namespace
}  // namespace millrace
