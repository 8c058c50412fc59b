// Goal: a staging ring that is made is written once from end to end, one that is there keeps what it holds, and one of
// another size is emptied. Method: a simulated disk that counts what it is asked for.
#include "wal/staging_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "env/sim/sim_file_system.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr std::uint64_t kRingBytes = 5 << 19;  // two and a half pieces

class StagingRingTest : public testing::Test {
 protected:
  StagingRingTest() { EXPECT_TRUE(disk_.CreateDirectories("/d")); }
  std::unique_ptr<StagingRing> Open(std::uint64_t size) {
    auto ring = StagingRing::Open(disk_, "/d", size);
    EXPECT_TRUE(ring);
    return ring ? *std::move(ring) : nullptr;
  }
  [[nodiscard]] std::uint64_t writes() const { return disk_.calls(SimOperation::kWrite); }
  static std::string Held(StagingRing& ring, std::uint64_t position, std::size_t bytes) {
    std::vector<std::byte> held(bytes);
    ring.CopyOut(WalPosition(static_cast<std::int64_t>(position)), held);
    return std::string(AsText(held));
  }

  SimFileSystem disk_;
};

TEST_F(StagingRingTest, ANewOneIsWrittenOnceFromEndToEnd) {
  const auto before = writes();
  const auto ring = Open(kRingBytes);
  EXPECT_EQ(writes() - before, 3U) << "in pieces of a mebibyte";
  EXPECT_EQ(ring->size(), kRingBytes);
  EXPECT_EQ(Held(*ring, kRingBytes - 8, 8), std::string(8, '\0'));
}

TEST_F(StagingRingTest, OneThatIsThereKeepsWhatItHoldsAndIsNotWritten) {
  Open(kRingBytes)->CopyIn(WalPosition(4096), AsBytes("staged"));
  const auto before = writes();
  const auto ring = Open(kRingBytes);
  EXPECT_EQ(writes(), before);
  EXPECT_EQ(Held(*ring, 4096, 6), "staged");
}

TEST_F(StagingRingTest, OneOfAnotherSizeIsEmptied) {
  Open(kRingBytes)->CopyIn(WalPosition(4096), AsBytes("staged"));
  const auto ring = Open(2 * kRingBytes);
  EXPECT_EQ(Held(*ring, 4096, 6), std::string(6, '\0'));
}

}  // namespace
}  // namespace millrace
