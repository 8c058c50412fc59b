// Kafka's partitioner. Method: vectors of Kafka's own client. Proves S34 (keys are partitioned as Kafka does it).
#include "engine/partitioner.h"

#include <gtest/gtest.h>

#include <string_view>

#include "millrace/bytes.h"

namespace millrace {
namespace {

TEST(PartitionerTest, HashesAsKafkasClientDoes) {
  const std::pair<std::string_view, std::int32_t> vectors[] = {
      {"21", -973932308},
      {"foobar", -790332482},
      {"a-little-bit-long-string", -985981536},
      {"a-little-bit-longer-string", -1486304829},
      {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
      {"abc", 479470107},
  };
  for (const auto& [key, hash] : vectors) EXPECT_EQ(static_cast<std::int32_t>(Murmur2(AsBytes(key))), hash) << key;
}

TEST(PartitionerTest, ANegativeHashStillGivesAPartition) {
  EXPECT_EQ(PartitionOfKey(AsBytes("21"), 7), PartitionId((-973932308 & 0x7fffffff) % 7));
  for (const std::string_view key : {"", "a", "ab", "abcd", "abcde"}) {
    const PartitionId partition = PartitionOfKey(AsBytes(key), 3);
    EXPECT_GE(partition, PartitionId(0));
    EXPECT_LT(partition, PartitionId(3));
  }
}

}  // namespace
}  // namespace millrace
