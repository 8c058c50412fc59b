// Goal: what a read cost is told as the manual shows it, and told shortly however long the read.
#include "cli/records/explanation.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(ExplanationTest, LineOfTheManual) {
  ReadExplanation explanation;
  explanation.bytes.object_store = 1 << 20;
  explanation.requests = 1;
  explanation.prefetched = 4096;
  explanation.wait = std::chrono::microseconds(41'200);
  explanation.wait_by_cause.store = std::chrono::microseconds(40'000);
  explanation.wait_by_cause.shared = std::chrono::microseconds(1'200);
  explanation.cost_usd = 4e-7;
  explanation.ranges = {{"ab/cd.obj", 4096, 1 << 20}};
  EXPECT_EQ(
      ExplanationJson(explanation),
      "{\"explain\":{\"bytes\":{\"tail\":0,\"wal\":0,\"block_cache\":0,\"segment_cache\":0,\"object_store\":1048576},"
      "\"requests\":1,\"shared\":0,\"wait_ms\":41.2,\"cost_usd\":4e-07,\"prefetched\":4096,"
      "\"wait_by_cause_ms\":{\"sync\":0,\"store\":40,\"shared\":1.2,\"memory\":0,\"cache\":0},"
      "\"ranges\":[{\"object\":\"ab/cd.obj\",\"offset\":4096,\"length\":1048576}]}}\n");
}

TEST(ExplanationTest, TheFirstThousandRangesAreKept) {
  ReadExplanation sum, read;
  read.requests = 600;
  read.ranges.assign(600, {"object", 0, 1});
  for (int i = 0; i < 3; ++i) sum.Add(read);
  EXPECT_EQ(sum.requests, 1800U);
  EXPECT_EQ(sum.ranges.size(), 1000U);
}

}  // namespace
}  // namespace millrace
