// Goal: memory of frames is used again, within a bound, and never while a slice of it is left.
#include "server/kafka/frame_pool.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace {
namespace {

TEST(FramePoolTest, EverySizeGetsAsManyBytesAsItAskedFor) {
  FramePool pool(64 << 20);
  for (std::size_t size :
       {1, 4095, 4096, 4097, 5120, 5121, 65'535, 65'536, 65'537, 1 << 20, (4 << 20) - 1, 4 << 20, 5 << 20}) {
    const FrameMemory memory = pool.Take(size);
    ASSERT_EQ(memory.bytes.size(), size);
    std::ranges::fill(memory.bytes, std::byte{7});  // AddressSanitizer sees what is too short
  }
}

TEST(FramePoolTest, MemoryIsUsedAgainOnceItsLastOwnerIsGone) {
  FramePool pool(1 << 20);
  FrameMemory first = pool.Take(20'000);
  const std::byte* place = first.bytes.data();
  std::shared_ptr<std::byte[]> slice = first.owner;
  first = {};
  EXPECT_NE(pool.Take(20'000).bytes.data(), place);
  slice.reset();
  EXPECT_EQ(pool.Take(20'000).bytes.data(), place);
}

TEST(FramePoolTest, KeepsNoMoreThanItsBound) {
  FramePool pool(10'000);
  {
    const FrameMemory a = pool.Take(8'192), b = pool.Take(8'192);
  }
  EXPECT_EQ(pool.kept_bytes(), 8'192U);
}

TEST(FramePoolTest, MemoryMayOutliveThePool) {
  FrameMemory memory;
  {
    FramePool pool(1 << 20);
    memory = pool.Take(100);
  }
  std::ranges::fill(memory.bytes, std::byte{1});
}

}  // namespace
}  // namespace millrace
