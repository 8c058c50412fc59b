// Goal: over what lies below, an overlay behaves as a file system does, and below nothing changes: no byte, no name, no
// call that could change one. Method: a simulated disk that refuses and reports every change. (The seam's promises are
// in file_system_conformance_test.cc.)
#include "env/overlay_file_system.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "env/sim/sim_file_system.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr FileOptions kWrite{.access = FileAccess::kReadWrite};
constexpr FileOptions kMake{.access = FileAccess::kReadWrite, .creation = FileCreation::kOpenOrCreate};

class OverlayFileSystemTest : public testing::Test {
 protected:
  OverlayFileSystemTest() {
    EXPECT_TRUE(disk_->CreateDirectories("/d/sub"));
    Put("/d/a", std::string(10'000, 'a'));
    Put("/d/b", "bbb");
    Put("/d/lock", "");
    disk_->SetObserver([this](SimOperation, const std::filesystem::path& path) { changes_.push_back(path.native()); });
    overlay_ = std::make_unique<OverlayFileSystem>(disk_);
  }
  ~OverlayFileSystemTest() override { EXPECT_EQ(changes_, std::vector<std::string>{}); }

  void Put(const std::filesystem::path& path, std::string_view text) {
    EXPECT_TRUE((*disk_->Open(path, kMake))->WriteAt(0, AsBytes(text)));
  }
  std::string Read(const std::filesystem::path& path, std::uint64_t offset = 0, std::size_t length = 20'000) {
    auto file = overlay_->Open(path, {});
    EXPECT_TRUE(file) << file.error().ToString();
    if (!file) return "";
    std::string text(length, '?');
    text.resize((*file)->ReadAt(offset, std::as_writable_bytes(std::span(text))).value());
    return text;
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const DirectoryEntry& entry : overlay_->List("/d").value())
      names.push_back(entry.name + ' ' + (entry.is_directory ? "/" : std::to_string(entry.size_bytes)));
    return names;
  }

  std::shared_ptr<SimFileSystem> disk_ = std::make_shared<SimFileSystem>();
  std::vector<std::string> changes_;
  std::unique_ptr<OverlayFileSystem> overlay_;
};

TEST_F(OverlayFileSystemTest, WhatIsWrittenIsReadOverWhatIsBelow) {
  std::string expected(10'000, 'a');
  auto file = overlay_->Open("/d/a", kWrite);
  ASSERT_TRUE(file) << file.error().ToString();
  for (const std::uint64_t at : {0, 4'090, 8'191, 9'998, 12'345}) {
    ASSERT_TRUE((*file)->WriteAt(at, AsBytes(std::string_view("written"))));
    if (expected.size() < at + 7) expected.resize(at + 7, '\0');
    expected.replace(at, 7, "written");
  }
  EXPECT_TRUE((*file)->Sync());
  EXPECT_EQ(*(*file)->Size(), expected.size());
  EXPECT_TRUE(Read("/d/a") == expected);
  EXPECT_TRUE(Read("/d/a", 4'093, 10) == expected.substr(4'093, 10));
  EXPECT_EQ(Read("/d/b"), "bbb");
  ASSERT_TRUE((*file)->WriteAt(0, AsBytes(std::string(10'000, '\0')))) << "zeros over bytes are bytes";
  EXPECT_EQ(Read("/d/a", 0, 10'000), std::string(10'000, '\0'));
}

TEST_F(OverlayFileSystemTest, WhatIsCutOffBelowStaysAway) {
  auto file = overlay_->Open("/d/a", kWrite);
  ASSERT_TRUE((*file)->Truncate(5'000));
  ASSERT_TRUE((*file)->Truncate(9'000));
  EXPECT_TRUE(Read("/d/a") == std::string(5'000, 'a') + std::string(4'000, '\0'));
  ASSERT_TRUE((*file)->Truncate(0));
  ASSERT_TRUE((*file)->Allocate(10));
  EXPECT_EQ(Read("/d/a"), std::string(10, '\0'));
}

TEST_F(OverlayFileSystemTest, NamesChangeHereAlone) {
  ASSERT_TRUE(overlay_->Rename("/d/a", "/d/sub/moved"));
  ASSERT_TRUE(overlay_->Remove("/d/b"));
  ASSERT_TRUE(overlay_->CreateDirectories("/d/new/deep"));
  ASSERT_TRUE((*overlay_->Open("/d/new/deep/file", kMake))->WriteAt(0, AsBytes(std::string_view("12345"))));
  EXPECT_EQ(Names(), (std::vector<std::string>{"lock 0", "new /", "sub /"}));
  EXPECT_EQ(Read("/d/sub/moved").size(), 10'000U);
  EXPECT_EQ(overlay_->Open("/d/a", {}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(overlay_->Open("/d/b", kWrite).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(overlay_->List("/d/new/deep")->at(0).size_bytes, 5U);
  EXPECT_EQ((*overlay_->Open("/d/b", kMake))->Size().value(), 0U) << "a new one of that name";
  EXPECT_EQ(disk_->List("/d")->size(), 4U);
  EXPECT_EQ(disk_->Contents("/d/b").size(), 3U);
}

TEST_F(OverlayFileSystemTest, NothingThatCouldChangeAnythingIsAskedBelow) {
  disk_->SetFaultPlan([](SimOperation operation, const std::filesystem::path&, std::uint64_t) {
    const bool looks =
        operation == SimOperation::kOpen || operation == SimOperation::kRead || operation == SimOperation::kList;
    return looks ? std::nullopt : std::optional(SimFault{.code = ErrorCode::kPermissionDenied});
  });
  ASSERT_TRUE((*overlay_->Open("/d/a", kWrite))->WriteAt(1, AsBytes(std::string_view("x"))));
  ASSERT_TRUE(overlay_->Open("/d/new", kMake));
  ASSERT_TRUE(overlay_->Rename("/d/new", "/d/b"));
  ASSERT_TRUE(overlay_->RenameIfAbsent("/d/b", "/d/c"));
  ASSERT_TRUE(overlay_->Remove("/d/c"));
  ASSERT_TRUE(overlay_->SyncDirectory("/d"));
  ASSERT_TRUE(overlay_->Lock("/d/lock", "me"));
  ASSERT_TRUE(overlay_->Lock("/d/other lock", "me"));
}

TEST_F(OverlayFileSystemTest, ALockHereIsSharedBelowAndKeepsWritersOut) {
  OverlayFileSystem second(disk_);
  auto lock = overlay_->Lock("/d/lock", "first");
  ASSERT_TRUE(lock) << lock.error().ToString();
  EXPECT_TRUE(second.Lock("/d/lock", "second")) << "several look at once";
  EXPECT_EQ(overlay_->Lock("/d/lock", "again").error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(disk_->Lock("/d/lock", "writer").error().code(), ErrorCode::kUnavailable);
  lock->reset();
  const auto writer = disk_->Lock("/d/lock", "writer");
  ASSERT_TRUE(writer);
  const auto refused = overlay_->Lock("/d/lock", "first");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("writer"), std::string_view::npos) << refused.error().ToString();
}

}  // namespace
}  // namespace millrace
