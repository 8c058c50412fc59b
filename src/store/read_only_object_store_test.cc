// Goal: everything is read, nothing is changed. Method: over memory, each call once.
#include "store/read_only_object_store.h"

#include <gtest/gtest.h>

#include <array>

#include "store/memory_object_store.h"

namespace millrace {
namespace {

TEST(ReadOnlyObjectStoreTest, ItReadsAndRefusesEveryChange) {
  const auto memory = std::make_shared<MemoryObjectStore>();
  const std::array<SharedBytes, 1> pieces = {SharedBytes::Copy(AsBytes(std::string_view("abcdef")))};
  ASSERT_TRUE(memory->Put("a/1", pieces, PutMode::kIfAbsent));
  ReadOnlyObjectStore store(memory);
  EXPECT_EQ(AsText(store.Get("a/1", {1, 3})->bytes()), "bcd");
  const std::array<std::uint64_t, 2> lengths = {2, 2};
  EXPECT_EQ(AsText(store.GetParts("a/1", 0, lengths)->at(1).bytes()), "cd");
  EXPECT_EQ(AsText(store.PrefetchParts("a/1", 2, lengths)->at(0).bytes()), "cd");
  EXPECT_EQ(store.Head("a/1")->size_bytes, 6U);
  EXPECT_EQ(store.List("a/", "", 10)->objects.size(), 1U);
  EXPECT_EQ(store.Describe(), memory->Describe());

  const std::array<std::string, 1> keys = {"a/1"};
  EXPECT_EQ(store.Put("a/2", pieces, PutMode::kOverwrite).error().code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(store.Delete("a/1").error().code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(store.DeleteMany(keys).error().code(), ErrorCode::kPermissionDenied);
  EXPECT_TRUE(store.DeleteMany({}));
  EXPECT_EQ(memory->List("", "", 10)->objects.size(), 1U);
}

}  // namespace
}  // namespace millrace
