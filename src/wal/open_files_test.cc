// Goal: a log of any number of files needs few descriptors, and works where the process may have few; too few even for
// that are told by name. Method: a real directory, the descriptors of this process counted and limited.
#include "wal/open_files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "env/faulty_file_system.h"
#include "env/posix_file_system.h"
#include "env/system_clock.h"
#include "env/temporary_directory.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

/// This process may have `more` descriptors than it has, while this lives.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    struct rlimit limit = before_;
    limit.rlim_cur = 128;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    while (const int one = ::dup(STDERR_FILENO)) {
      if (one < 0) break;
      taken_.push_back(one);
    }
    EXPECT_GE(taken_.size(), more);
    for (rlim_t i = 0; i < more && !taken_.empty(); ++i) GiveOne();
  }
  ~DescriptorLimit() {
    while (!taken_.empty()) GiveOne();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  void GiveOne() {
    ::close(taken_.back());
    taken_.pop_back();
  }
  struct rlimit before_ = {};
  std::vector<int> taken_;
};

std::size_t Descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

struct ManyFiles {
  TemporaryDirectory directory;
  PosixFileSystem file_system{IoBackEnd::kPositional};
  SystemClock clock;
  std::vector<WalExtent> extents;
  WalOptions options = {.directory = directory.path() / "wal",
                        .sync = SyncPolicy::None(),
                        .wal_bytes_max = 8 << 20,
                        .frame_bytes_max = 8 << 10,
                        .staging_bytes = 32 << 10,
                        .file_bytes = 32 << 10};
  OpenedWal Open() { return OpenWal(file_system, clock, options); }
  void Fill(DiskWal& wal) {
    for (std::uint64_t i = 0; wal.Stats().files < 150; ++i) {
      const auto extent = Append(wal, Payload(i, 4000));
      ASSERT_TRUE(extent) << extent.error().ToString();
      extents.push_back(*extent);
    }
  }
  void ExpectEveryRecord(DiskWal& wal) {
    for (std::uint64_t i = 0; i < extents.size(); ++i) {
      const auto read = wal.Read(WalStream(1), extents[i], 1);
      ASSERT_TRUE(read) << read.error().ToString();
      ASSERT_EQ(AsText(read->frames.at(0).payload.bytes()), Payload(i, 4000));
    }
  }
};

TEST(OpenFilesTest, ALogOfManyFilesHasFewDescriptorsAlsoWhenOpenedAgain) {
  ManyFiles many;
  const std::size_t before = Descriptors();
  {
    const OpenedWal wal = many.Open();
    many.Fill(*wal.wal);
    EXPECT_LE(Descriptors(), before + 48);
    many.ExpectEveryRecord(*wal.wal);
    EXPECT_LE(Descriptors(), before + 48);
  }  // process death: all of it is read again
  const OpenedWal wal = many.Open();
  EXPECT_GE(wal->Stats().files, 140u);
  EXPECT_LE(Descriptors(), before + 48);
  many.ExpectEveryRecord(*wal.wal);
  EXPECT_TRUE(wal->Close());
}

TEST(OpenFilesTest, FewerDescriptorsThanFilesAreEnoughForAllItDoes) {
  ManyFiles many;
  const DescriptorLimit limit(12);  // fewer than it would keep
  {
    const OpenedWal wal = many.Open();
    many.Fill(*wal.wal);
    many.ExpectEveryRecord(*wal.wal);
  }
  const OpenedWal wal = many.Open();
  many.ExpectEveryRecord(*wal.wal);
  ASSERT_TRUE(wal->AwaitDurable(wal->end()));
  ASSERT_TRUE(wal->Recycle(many.extents[many.extents.size() - 5].begin, DiskWal::Seal::kKeepActive));
  EXPECT_LE(wal->Stats().files, 10u);
  ASSERT_TRUE(AppendDurably(*wal.wal, "after"));
  EXPECT_TRUE(wal->Close());
}

TEST(OpenFilesTest, WithoutAnyTheErrorNamesTheLimit) {
  ManyFiles many;
  {
    EXPECT_TRUE(many.Open()->Close());
  }
  const DescriptorLimit limit(0);
  const auto refused = TryOpenWal(many.file_system, many.clock, many.options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().hint().find("ulimit -n"), std::string_view::npos) << refused.error().ToString();
}

TEST(OpenFilesTest, WhatWasWrittenStaysOpenUntilItIsSynced) {
  TemporaryDirectory directory;
  PosixFileSystem file_system{IoBackEnd::kPositional};
  OpenFiles files(file_system, 1);
  const FileOptions options{.access = FileAccess::kReadWrite, .creation = FileCreation::kCreateNew};
  const auto open = [&](const char* name) { return *files.Open(directory.path() / name, options); };
  const auto first = open("1"), second = open("2");
  EXPECT_EQ(files.count(), 1u);
  const std::array<std::byte, 4> bytes{};
  ASSERT_TRUE(first->WriteAt(0, bytes));
  ASSERT_TRUE(second->WriteAt(0, bytes));
  EXPECT_EQ(files.count(), 2u) << "both are written and not synced";
  ASSERT_TRUE(first->Sync());
  const auto third = open("3");
  EXPECT_EQ(files.count(), 2u);
  EXPECT_EQ(*first->Size(), 4u) << "opened again";
  ASSERT_TRUE(second->Sync());
  EXPECT_EQ(*third->Size(), 0u);
}

TEST(OpenFilesTest, WhatIsWrittenWhileASyncRunsWaitsForTheNextOne) {
  TemporaryDirectory directory;
  PosixFileSystem below{IoBackEnd::kPositional};
  FaultyFileSystem file_system(below);
  OpenFiles files(file_system, 1);
  const FileOptions options{.access = FileAccess::kReadWrite, .creation = FileCreation::kCreateNew};
  const auto first = *files.Open(directory.path() / "1", options);
  const std::array<std::byte, 4> bytes{};
  ASSERT_TRUE(first->WriteAt(0, bytes));
  int written = 0;
  file_system.SetPlan([&](std::uint64_t) -> std::optional<Error> {
    if (written++ == 0) EXPECT_TRUE(first->WriteAt(4, bytes));
    return {};
  });
  ASSERT_TRUE(first->Sync());
  EXPECT_GT(written, 1);
  const auto calls_of_a_use = [&] {
    const std::uint64_t before = file_system.calls();
    EXPECT_TRUE(first->Size());
    return file_system.calls() - before;
  };
  const auto second = *files.Open(directory.path() / "2", options);
  EXPECT_EQ(calls_of_a_use(), 1u) << "it is open still";
  ASSERT_TRUE(first->Sync());
  const auto third = *files.Open(directory.path() / "3", options);
  EXPECT_EQ(calls_of_a_use(), 2u) << "opened again";
}

}  // namespace
}  // namespace millrace
