// What the conformance suite cannot ask of every file system: the process's own limits. Method: processes that end.
#include "env/posix_file_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "env/posix_file.h"
#include "env/temporary_directory.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr FileOptions kReadWrite = {.access = FileAccess::kReadWrite, .creation = FileCreation::kOpenOrCreate};

[[noreturn]] void OpenWithoutStandardStreams(const std::filesystem::path& directory) {
  PosixFileSystem files;
  for (int stream = 0; stream < 3; ++stream) ::close(stream);
  const auto file = files.Open(directory / "wal", kReadWrite);
  const auto lock = files.Lock(directory / "lock", "me");
  if (!file || !lock || !(*file)->WriteAt(0, AsBytes(std::string_view("header")))) ::_exit(1);
  for (int stream = 0; stream < 3; ++stream)
    if (::fcntl(stream, F_GETFD) != -1) ::_exit(2);
  ::_exit(0);
}

[[noreturn]] void WriteBeyondTheLimit(const std::filesystem::path& directory) {
  PosixFileSystem files;
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {4096, 4096};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(3);
  const auto file = files.Open(directory / "wal", kReadWrite);
  if (!file) ::_exit(1);
  const auto written = (*file)->WriteAt(4096, AsBytes(std::string_view("more")));
  ::_exit(!written && written.error().code() == ErrorCode::kOutOfSpace ? 0 : 2);
}

TEST(PosixFileSystemTest, AFileNeverTakesThePlaceOfAStandardStream) {
  const TemporaryDirectory directory;
  EXPECT_EXIT(OpenWithoutStandardStreams(directory.path()), testing::ExitedWithCode(0), "");
}

TEST(PosixFileSystemTest, ADirectoryIsMadeWhereALinkPoints) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink("there/below", directory.path() / "link");
  PosixFileSystem files;
  const auto made = files.CreateDirectories(directory.path() / "link");
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_TRUE(std::filesystem::is_directory(directory.path() / "there" / "below"));
  EXPECT_TRUE(files.CreateDirectories(directory.path() / "link"));
}

TEST(PosixFileSystemTest, ALimitOnTheSizeOfFilesIsOutOfSpaceWhereItsSignalIsIgnored) {
  const TemporaryDirectory directory;
  EXPECT_EXIT(WriteBeyondTheLimit(directory.path()), testing::ExitedWithCode(0), "");
}

TEST(PosixFileSystemTest, WhereStoresMayNeedSpaceNothingIsMapped) {
  for (const std::uint64_t copying : {0x9123683EU, 0x2FC12FC1U, 0xCA451A4EU, 0x3434U})
    EXPECT_TRUE(StoresNeedSpace(copying)) << copying;
  for (const std::uint64_t in_place : {0xEF53U /* ext4 */, 0x58465342U /* xfs */, 0x01021994U /* tmpfs */})
    EXPECT_FALSE(StoresNeedSpace(in_place)) << in_place;
}

}  // namespace
}  // namespace millrace
