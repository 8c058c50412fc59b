// Goal: exactly the planned call fails, and nothing of it reaches the disk. Method: the n-th of a short run, for every
// n until a clean run (the shape of row 11).
#include "env/faulty_file_system.h"

#include <gtest/gtest.h>

#include "base/try.h"
#include "env/sim/sim_file_system.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

Result<std::string> RunAll(FileSystem& files) {
  MR_TRY(files.CreateDirectories("/d"));
  MR_ASSIGN_OR_RETURN(const auto lock, files.Lock("/d/lock", "test"));
  MR_ASSIGN_OR_RETURN(const auto file, files.Open("/d/a", {FileAccess::kReadWrite, FileCreation::kCreateNew}));
  MR_TRY(file->WriteAt(0, AsBytes("text")));
  MR_TRY(file->Allocate(8192));
  MR_TRY(file->Truncate(4));
  MR_TRY(file->Size());
  MR_TRY(file->Map(4));
  MR_TRY(file->Sync());
  MR_TRY(files.Rename("/d/a", "/d/b"));
  MR_TRY(files.SyncDirectory("/d"));
  MR_TRY(files.List("/d"));
  MR_TRY(files.FreeSpace("/d"));
  std::string text(4, '?');
  MR_TRY(file->ReadAt(0, std::as_writable_bytes(std::span(text))));
  MR_TRY(files.Remove("/d/b"));
  return text;
}

TEST(FaultyFileSystemTest, EveryCallFailsInItsTurnUntilACleanRun) {
  constexpr std::uint64_t kCalls = 15;
  for (std::uint64_t n = 1;; ++n) {
    SimFileSystem below;
    FaultyFileSystem files(below);
    files.FailCall(n, Error(ErrorCode::kInternal, "planned"));
    const auto result = RunAll(files);
    if (result) {
      EXPECT_EQ(*result, "text");
      EXPECT_EQ(n, kCalls + 1);
      EXPECT_EQ(files.calls(), kCalls);
      return;
    }
    ASSERT_LE(n, kCalls);
    EXPECT_EQ(result.error().message(), "planned");
    EXPECT_EQ(files.calls(), n);
  }
}

TEST(FaultyFileSystemTest, FailedCallDoesNothing) {
  SimFileSystem below;
  FaultyFileSystem files(below);
  files.FailCall(1, Error(ErrorCode::kUnavailable, "planned"));
  EXPECT_FALSE(files.CreateDirectories("/d"));
  EXPECT_EQ(below.List("/d").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(files.CreateDirectories("/d")) << "only once";
}

}  // namespace
}  // namespace millrace
