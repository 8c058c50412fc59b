// Goal: the bytes of the position log never change.
// Method: a file written by an independent program (a snapshot of two cursors, then a move, a definition and a removal)
// is recovered, and built again byte for byte.
#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "cursor/position_log_format.h"
#include "cursor/position_log_recovery.h"
#include "env/sim/sim_file_system.h"
#include "golden_file.h"

namespace millrace {
namespace {

constexpr const char* kGolden = "position-log-v1.bin";

PartitionKey Partition(std::int64_t topic, std::int32_t partition) { return {TopicId(topic), PartitionId(partition)}; }

TEST(PositionLogGoldenTest, IsRecovered) {
  SimFileSystem disk;
  ASSERT_TRUE(disk.CreateDirectories("/positions"));
  const auto file =
      disk.Open("/positions/positions-1", {.access = FileAccess::kReadWrite, .creation = FileCreation::kCreateNew});
  ASSERT_TRUE(file && (*file)->WriteAt(0, ReadGolden(kGolden)));
  const auto recovered = RecoverPositions(disk, "/positions");
  ASSERT_TRUE(recovered) << recovered.error().ToString();
  EXPECT_EQ(recovered->newest, 1U);
  EXPECT_EQ(recovered->generation, 3U);
  EXPECT_EQ(recovered->table.next_id(), CursorId(4));
  const std::vector<PositionDefine> expected = {
      {.id = CursorId(1), .key = {Partition(7, 0), "audit"}, .position = Offset(42)},
      {.id = CursorId(3), .key = {Partition(8, 0), "late"}, .position = Offset(5)}};
  EXPECT_EQ(recovered->table.All(), expected);
}

TEST(PositionLogGoldenTest, IsBuiltAgainByteForByte) {
  std::vector<std::byte> bytes(2 * kPositionBlockBytes, std::byte{0xee});
  const std::vector<PositionEntry> snapshot = {
      PositionDefine{.id = CursorId(1), .key = {Partition(7, 0), "audit"}, .position = Offset(41)},
      PositionDefine{.id = CursorId(2), .key = {Partition(7, 1), "wörk"}, .position = Offset(0)}};
  const std::vector<PositionEntry> update = {
      PositionMove{CursorId(1), Offset(42)},
      PositionDefine{.id = CursorId(3), .key = {Partition(8, 0), "late"}, .position = Offset(5)},
      PositionRemove{CursorId(2)}};
  EncodePositionFrame({.kind = PositionFrameKind::kSnapshot, .generation = 3, .sequence = 0, .next_id = CursorId(3)},
                      snapshot, std::span(bytes).first(kPositionBlockBytes));
  EncodePositionFrame({.kind = PositionFrameKind::kUpdate, .generation = 3, .sequence = 1, .next_id = CursorId(4)},
                      update, std::span(bytes).last(kPositionBlockBytes));
  EXPECT_EQ(bytes, ReadGolden(kGolden));
}

}  // namespace
}  // namespace millrace
