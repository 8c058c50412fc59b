// Goal: requests, bytes and money are counted exactly, failures included as requests.
#include "store/metered_object_store.h"

#include <gtest/gtest.h>

#include "store/memory_object_store.h"

namespace millrace {
namespace {

TEST(MeteredObjectStoreTest, CountsRequestsBytesAndListPrice) {
  MeteredObjectStore store(std::make_shared<MemoryObjectStore>());
  const SharedBytes pieces[] = {SharedBytes::Copy(AsBytes("abc")), SharedBytes::Copy(AsBytes("defg"))};
  ASSERT_TRUE(store.Put("k", pieces, PutMode::kIfAbsent));
  EXPECT_FALSE(store.Put("k", pieces, PutMode::kIfAbsent));
  ASSERT_TRUE(store.Get("k", {2, 3}));
  ASSERT_TRUE(store.Get("k", {0, 100}));
  EXPECT_FALSE(store.Get("missing", {0, 1}));
  ASSERT_TRUE(store.Head("k"));
  ASSERT_TRUE(store.List("", "", 10));
  ASSERT_TRUE(store.Delete("k"));
  const ObjectRequestCounts counts = store.Counts();
  EXPECT_EQ(counts.puts, 2u);
  EXPECT_EQ(counts.gets, 3u);
  EXPECT_EQ(counts.heads, 1u);
  EXPECT_EQ(counts.lists, 1u);
  EXPECT_EQ(counts.deletes, 1u);
  EXPECT_EQ(counts.failed, 2u);
  EXPECT_EQ(counts.requests(), 8u);
  EXPECT_EQ(counts.bytes_put, 7u);
  EXPECT_EQ(counts.bytes_got, 10u);
  EXPECT_DOUBLE_EQ(counts.CostUsd(), (3 * 0.005 + 4 * 0.0004) / 1000);
}

}  // namespace
}  // namespace millrace
