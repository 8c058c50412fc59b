// Goal: several owners of one directory of objects never meet in a file, and only what a gone owner left is removed
// (rules 1 and 3 of the reliability page). Method: two stores over one simulated disk; a crash; a disk that fails
// reads.
#include "store/incoming_files.h"

#include <gtest/gtest.h>

#include "env/seeded_random.h"
#include "env/sim/sim_file_system.h"
#include "store/local_dir_object_store.h"

namespace millrace {
namespace {

class IncomingFilesTest : public testing::Test {
 protected:
  std::unique_ptr<LocalDirObjectStore> Open() { return *LocalDirObjectStore::Open(kRoot, disk_, random_); }
  static Result<void> Put(ObjectStore& store, std::string_view key, std::string_view text, PutMode mode) {
    const SharedBytes bytes = SharedBytes::Copy(AsBytes(text));
    return store.Put(key, std::span(&bytes, 1), mode);
  }
  std::size_t Files(const char* folder) {
    return disk_.List(kRoot / folder).value_or(std::vector<DirectoryEntry>()).size();
  }
  void Write(const std::filesystem::path& path) {
    ASSERT_TRUE(disk_.Open(path, {FileAccess::kReadWrite, FileCreation::kCreateNew}));
  }

  const std::filesystem::path kRoot = "/objects";
  SimFileSystem disk_{1};
  SeededRandom random_{1};
};

TEST_F(IncomingFilesTest, WhatALivingOwnerWritesIsNotTouched) {
  IncomingFiles one(kRoot, disk_, random_);
  const auto path = *one.NextPath();
  Write(path);
  Write(kRoot / "~incoming" / "4711-0");  // of a version that named them otherwise: its owner is unknown
  const auto other = Open();
  EXPECT_EQ(Files("~incoming"), 2u);
  EXPECT_NE(*one.NextPath(), path);
  ASSERT_TRUE(Put(*other, "k", "x", PutMode::kOverwrite));
  EXPECT_EQ(Files("~incoming"), 2u);
}

TEST_F(IncomingFilesTest, WhatAGoneOwnerLeftIsRemovedByTheNextWhoOpens) {
  {
    IncomingFiles gone(kRoot, disk_, random_);
    Write(*gone.NextPath());
    EXPECT_EQ(Files("~owners"), 1u);
  }
  EXPECT_EQ(Files("~owners"), 0u);
  EXPECT_EQ(Files("~incoming"), 1u);
  (void)Open();
  EXPECT_EQ(Files("~incoming"), 0u);
}

TEST_F(IncomingFilesTest, ACrashLeavesNothingThatStays) {
  auto killed = std::make_unique<IncomingFiles>(kRoot, disk_, random_);
  Write(*killed->NextPath());
  disk_.KillProcess();
  const auto next = Open();
  EXPECT_EQ(Files("~incoming"), 0u);
  EXPECT_EQ(Files("~owners"), 0u);
}

TEST_F(IncomingFilesTest, OfTwoOwnersOnePutsAnAbsentKey) {
  const auto one = Open(), other = Open();
  // The other one's object appears after this one found the key absent.
  bool raced = false;
  disk_.SetObserver([&](SimOperation operation, const std::filesystem::path& path) {
    if (operation != SimOperation::kSync || raced || path.parent_path().filename() != "~incoming") return;
    raced = true;
    EXPECT_TRUE(Put(*other, "k", "theirs", PutMode::kIfAbsent));
  });
  const auto put = Put(*one, "k", "ours", PutMode::kIfAbsent);
  ASSERT_TRUE(raced);
  EXPECT_EQ(put.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(AsText(*one->Get("k", {0, 100})), "theirs");
  EXPECT_EQ(Files("~incoming"), 0u);
}

TEST_F(IncomingFilesTest, AFailingDiskIsNotTakenForAnAbsentObject) {
  const auto store = Open();
  ASSERT_TRUE(Put(*store, "a/b", "x", PutMode::kOverwrite));
  std::uint64_t failed = 0;
  disk_.SetFaultPlan(
      [&](SimOperation operation, const std::filesystem::path&, std::uint64_t) -> std::optional<SimFault> {
        if (operation != SimOperation::kOpen && operation != SimOperation::kList) return std::nullopt;
        ++failed;
        return SimFault{};
      });
  EXPECT_EQ(store->Get("a/b", {0, 1}).error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(store->Head("a/b").error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(store->Delete("a/b").error().code(), ErrorCode::kUnavailable);
  EXPECT_GE(failed, 3u);
  // Listing alone fails: folders cannot be told from files, and that is no absence either.
  disk_.SetFaultPlan([&](SimOperation operation, const std::filesystem::path& path,
                         std::uint64_t) -> std::optional<SimFault> {
    const bool hit = operation == SimOperation::kList || (operation == SimOperation::kOpen && path == kRoot / "a/b");
    return hit ? std::optional(SimFault{}) : std::nullopt;
  });
  EXPECT_EQ(store->Get("a/b", {0, 1}).error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace millrace
