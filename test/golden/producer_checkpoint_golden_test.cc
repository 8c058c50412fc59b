// Goal: the bytes of the checkpoint of producers never change.
// Method: the example of docs/format/producers.md, written by an independent program, is read, and built again byte for
// byte.
#include <gtest/gtest.h>

#include "golden_file.h"
#include "log/producer_checkpoint.h"

namespace millrace {
namespace {

constexpr const char* kGolden = "producers-v1.bin";

ProducerCheckpoint Example() {
  ProducerState state{.stream = WalStream(7), .window = {.id = 5}, .wal_end = WalPosition(200), .touched_ms = 1'000};
  state.window.Push(0, {.first = 0, .last = 1, .base = Offset(10), .timestamp_ms = 2'000});
  return {.wal_end = WalPosition(200), .states = {state}};
}

TEST(ProducerCheckpointGoldenTest, IsRead) {
  const auto checkpoint = DecodeProducerCheckpoint(ReadGolden(kGolden));
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(*checkpoint, Example());
}

TEST(ProducerCheckpointGoldenTest, IsBuiltAgainByteForByte) {
  EXPECT_EQ(EncodeProducerCheckpoint(Example()), ReadGolden(kGolden));
}

}  // namespace
}  // namespace millrace
