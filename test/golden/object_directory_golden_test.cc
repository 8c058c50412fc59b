// Goal: directories of format versions 1 and 2 read the same for ever.
// Method: files written by an independent program are read and written again byte for byte; the newer one equals the
// dump in docs/format/object.md.
#include <gtest/gtest.h>

#include "golden_file.h"
#include "segment/object_directory.h"

namespace millrace {
namespace {

ObjectDirectory Expected() {
  ObjectDirectory directory{.identity = StoredIdOf("00112233445566778899aabbccddeeff"),
                            .generation = 7,
                            .nonce = 0xfeedbeef,
                            .sequence = 41,
                            .settled = 40,
                            .written_ms = 1'700'000'000'000};
  directory.topics.push_back(
      {.uuid = StoredIdOf("ffeeddccbbaa99887766554433221100"),
       .number = TopicId(3),
       .created_ms = 1'699'999'999'999,
       .options = {.partitions = 2, .retention_time = std::chrono::hours(1), .durability = Durability::kObject},
       .name = "orders"});
  directory.entries.push_back({.partition = PartitionId(1),
                               .epoch = LeaderEpoch(2),
                               .byte_size = 375,
                               .base = Offset(7),
                               .end = Offset(10),
                               .records = 3,
                               .timestamp_min_ms = 1'699'999'999'995,
                               .timestamp_max_ms = 1'700'000'000'010,
                               .ceiling = Offset(10 + (std::int64_t{1} << 32))});
  return directory;
}

ObjectDirectory WithProducers() {
  constexpr std::int64_t kMs = 1'700'000'000'000;
  ObjectDirectory directory = Expected();
  ProducerWindow producer{.id = 5};
  producer.Push(1, {.first = 0, .last = 1, .base = Offset(7), .timestamp_ms = kMs});
  producer.Push(1, {.first = 2, .last = 2, .base = Offset(9), .timestamp_ms = kMs + 10});
  directory.shares.push_back({.entry = 0, .told = {.producers = {producer}}});
  return directory;
}

TEST(ObjectDirectoryGoldenTest, ReadsBothVersions) {
  const auto without = DecodeObjectDirectory(ReadGolden("object-directory-v1.bin"));
  ASSERT_TRUE(without) << without.error().message();
  EXPECT_EQ(*without, Expected());
  const auto directory = DecodeObjectDirectory(ReadGolden("object-directory-v2.bin"));
  ASSERT_TRUE(directory) << directory.error().message();
  EXPECT_EQ(*directory, WithProducers());
}

TEST(ObjectDirectoryGoldenTest, IsWrittenAgainByteForByte) {
  EXPECT_EQ(EncodeObjectDirectory(Expected()), ReadGolden("object-directory-v1.bin"));
  EXPECT_EQ(EncodeObjectDirectory(WithProducers()), ReadGolden("object-directory-v2.bin"));
}

TEST(ObjectDirectoryGoldenTest, IsTheOneInThePage) {
  EXPECT_EQ(BytesInPage("object.md"), ReadGolden("object-directory-v2.bin"));
}

}  // namespace
}  // namespace millrace
