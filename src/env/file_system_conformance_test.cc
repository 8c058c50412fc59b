// Goal: the simulated file system and the real one are the same to a caller, so that what the simulator proves holds.
// Method: every behaviour that the seam promises, run on all through the seam alone; the real one by both of its back
// ends for plans of several ranges. (R23 W18)
#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <cstring>
#include <functional>
#include <new>

#include "env/overlay_file_system.h"
#include "env/posix_file_system.h"
#include "env/sim/sim_file_system.h"
#include "env/temporary_directory.h"
#include "millrace/bytes.h"

namespace millrace {
namespace {

/// A file system and an empty directory in it.
struct Ground {
  virtual ~Ground() = default;
  std::unique_ptr<FileSystem> file_system;
  std::filesystem::path root;
};

struct PosixGround final : Ground {
  explicit PosixGround(IoBackEnd back_end) {
    root = directory.path();
    file_system = std::make_unique<PosixFileSystem>(back_end);
  }
  const TemporaryDirectory directory;
};

struct SimGround final : Ground {
  SimGround() {
    file_system = std::make_unique<SimFileSystem>();
    root = "/disk";
    EXPECT_TRUE(file_system->CreateDirectories(root));
  }
};

struct OverlayGround final : Ground {
  OverlayGround() {
    auto below = std::make_shared<SimFileSystem>();
    root = "/disk";
    EXPECT_TRUE(below->CreateDirectories(root));
    file_system = std::make_unique<OverlayFileSystem>(std::move(below));
  }
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Ground>()> make;
};

class FileSystemConformanceTest : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<File> Create(const std::filesystem::path& name) {
    auto file = files().Open(root() / name, {.access = FileAccess::kReadWrite, .creation = FileCreation::kCreateNew});
    EXPECT_TRUE(file) << file.error().ToString();
    return std::move(*file);
  }
  void Write(const std::filesystem::path& name, std::string_view text) {
    EXPECT_TRUE(Create(name)->WriteAt(0, AsBytes(text)));
  }
  static std::string Read(File& file, std::uint64_t offset, std::size_t length) {
    std::string text(length, '?');
    auto got = file.ReadAt(offset, std::as_writable_bytes(std::span(text)));
    EXPECT_TRUE(got) << got.error().ToString();
    text.resize(*got);
    return text;
  }
  std::string Read(const std::filesystem::path& name) {
    auto file = files().Open(root() / name, {});
    EXPECT_TRUE(file) << file.error().ToString();
    return Read(**file, 0, 100);
  }
  std::vector<std::string> Names(const std::filesystem::path& name) {
    auto entries = files().List(root() / name);
    EXPECT_TRUE(entries) << entries.error().ToString();
    std::vector<std::string> names;
    for (const auto& entry : *entries) names.push_back(entry.name + (entry.is_directory ? "/" : ""));
    return names;
  }
  /// The code of a call that must fail, and whether it names the path.
  template <class T>
  static ErrorCode CodeOf(const Result<T>& result, const std::filesystem::path& path) {
    EXPECT_FALSE(result);
    if (result) return ErrorCode::kInternal;
    EXPECT_NE(result.error().message().find(path.native()), std::string_view::npos) << result.error().message();
    return result.error().code();
  }

  FileSystem& files() { return *ground_->file_system; }
  const std::filesystem::path& root() { return ground_->root; }

 private:
  std::unique_ptr<Ground> ground_ = GetParam().make();
};

TEST_P(FileSystemConformanceTest, ReadsBackWhatWasWritten) {
  auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("hello world")));
  ASSERT_TRUE(file->WriteAt(6, AsBytes("there")));
  EXPECT_EQ(Read(*file, 0, 11), "hello there");
  EXPECT_EQ(Read(*file, 6, 100), "there");
  EXPECT_EQ(Read(*file, 11, 5), "");
  EXPECT_EQ(Read(*file, 1000, 5), "");
  EXPECT_EQ(*file->Size(), 11U);
  EXPECT_TRUE(file->Sync());
}

TEST_P(FileSystemConformanceTest, HolesReadAsZeros) {
  auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(10'000, AsBytes("x")));
  EXPECT_EQ(*file->Size(), 10'001U);
  EXPECT_EQ(Read(*file, 9'998, 10), std::string("\0\0x", 3));
  EXPECT_EQ(Read(*file, 4'090, 10), std::string(10, '\0'));
}

TEST_P(FileSystemConformanceTest, LargeTransfersAreWhole) {
  std::string text(3'000'001, 'a');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + i / 4096);
  auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(513, AsBytes(text)));
  EXPECT_EQ(Read(*file, 513, text.size() + 10), text);
}

TEST_P(FileSystemConformanceTest, APlanReadsAndWritesEveryRange) {
  constexpr std::size_t kRange = 700, kRanges = 300;
  std::string text(kRange * kRanges, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + i / 700);
  // Runs that follow each other, jumps, any order.
  std::vector<FileWrite> writes;
  for (std::size_t i = 0; i < kRanges; ++i) {
    const std::size_t at = i * 7 % kRanges * kRange;
    writes.push_back({100 + at, AsBytes(std::string_view(text).substr(at, kRange))});
  }
  auto file = Create("a");
  ASSERT_TRUE(file->WriteMany({}));
  ASSERT_TRUE(file->WriteMany(writes));
  EXPECT_EQ(*file->Size(), 100 + text.size());
  std::string got(text.size(), '?');
  const auto bytes = std::as_writable_bytes(std::span(got));
  std::vector<FileRead> reads;
  for (std::size_t i = 0; i < kRanges; ++i) reads.push_back({100 + i * kRange, bytes.subspan(i * kRange, kRange)});
  ASSERT_TRUE(file->ReadMany({}));
  ASSERT_TRUE(file->ReadMany(std::span(reads).first(1)));
  ASSERT_TRUE(file->ReadMany(reads));
  EXPECT_EQ(got, text);
  for (const FileRead& read : reads) EXPECT_EQ(read.got, kRange);
}

TEST_P(FileSystemConformanceTest, APlanEndsWithTheFile) {
  auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("0123456789")));
  std::string got(20, '?');
  const auto bytes = std::as_writable_bytes(std::span(got));
  std::array<FileRead, 5> reads = {{{8, bytes.first(5)},
                                    {13, bytes.subspan(5, 5)},
                                    {2, bytes.subspan(10, 3)},
                                    {5, bytes.subspan(13, 0)},
                                    {9, bytes.subspan(14, 6)}}};
  ASSERT_TRUE(file->ReadMany(reads));
  EXPECT_EQ(reads[0].got, 2U);
  EXPECT_EQ(reads[1].got, 0U);
  EXPECT_EQ(reads[2].got, 3U);
  EXPECT_EQ(reads[3].got, 0U);
  EXPECT_EQ(reads[4].got, 1U);
  EXPECT_EQ(got.substr(0, 2), "89");
  EXPECT_EQ(got.substr(10, 3), "234");
  EXPECT_EQ(got.substr(14, 1), "9");
}

TEST_P(FileSystemConformanceTest, ARefusedPlanNamesTheFile) {
  Write("a", "kept");
  auto file = *files().Open(root() / "a", {});
  const std::array<FileWrite, 3> writes = {{{0, AsBytes("x")}, {1, AsBytes("y")}, {100, AsBytes("z")}}};
  EXPECT_EQ(CodeOf(file->WriteMany(writes), root() / "a"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Read("a"), "kept");
}

TEST_P(FileSystemConformanceTest, CreationModesAreKept) {
  const auto path = root() / "a";
  EXPECT_EQ(CodeOf(files().Open(path, {}), path), ErrorCode::kNotFound);
  const FileOptions create_new{.access = FileAccess::kReadWrite, .creation = FileCreation::kCreateNew};
  const FileOptions open_or_create{.access = FileAccess::kReadWrite, .creation = FileCreation::kOpenOrCreate};
  EXPECT_TRUE(files().Open(path, open_or_create));
  EXPECT_EQ(CodeOf(files().Open(path, create_new), path), ErrorCode::kAlreadyExists);
  ASSERT_TRUE((*files().Open(path, open_or_create))->WriteAt(0, AsBytes("kept")));
  EXPECT_TRUE(files().Open(path, open_or_create));
  EXPECT_EQ(Read("a"), "kept");
  EXPECT_EQ(CodeOf(files().Open(root() / "no" / "a", create_new), root() / "no" / "a"), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(files().Open(root(), {}), root()), ErrorCode::kInvalidArgument);
}

TEST_P(FileSystemConformanceTest, ReadOnlyHandlesRefuseChanges) {
  Write("a", "kept");
  auto file = *files().Open(root() / "a", {});
  EXPECT_EQ(CodeOf(file->WriteAt(0, AsBytes("x")), root() / "a"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(file->Truncate(0), root() / "a"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(file->Allocate(8192), root() / "a"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(file->Map(4), root() / "a"), ErrorCode::kPermissionDenied);
  EXPECT_EQ(Read("a"), "kept");
}

TEST_P(FileSystemConformanceTest, TruncateCutsAndZeroFills) {
  auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("0123456789")));
  ASSERT_TRUE(file->Truncate(4));
  EXPECT_EQ(*file->Size(), 4U);
  ASSERT_TRUE(file->Truncate(8));
  EXPECT_EQ(Read(*file, 0, 20), std::string("0123\0\0\0\0", 8));
}

TEST_P(FileSystemConformanceTest, AllocateGrowsWithZerosAndNeverShrinks) {
  auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("0123")));
  if (auto allocated = file->Allocate(20'000); !allocated) {
    EXPECT_EQ(allocated.error().code(), ErrorCode::kUnsupported) << allocated.error().ToString();
    return;
  }
  EXPECT_EQ(*file->Size(), 20'000U);
  EXPECT_EQ(Read(*file, 2, 6), std::string("23\0\0\0\0", 6));
  ASSERT_TRUE(file->Allocate(10));
  EXPECT_EQ(*file->Size(), 20'000U);
}

TEST_P(FileSystemConformanceTest, MappingAndFileAreOneMemory) {
  auto file = Create("a");
  ASSERT_TRUE(file->WriteAt(0, AsBytes(std::string(10'000, '.'))));
  EXPECT_EQ(CodeOf(file->Map(10'001), root() / "a"), ErrorCode::kInvalidArgument);
  auto mapped = file->Map(8192);
  if (!mapped) {
    EXPECT_EQ(mapped.error().code(), ErrorCode::kUnsupported) << mapped.error().ToString();
    return;
  }
  auto region = *std::move(mapped);
  ASSERT_EQ(region->bytes().size(), 8192U);
  EXPECT_EQ(region->bytes()[8191], std::byte{'.'});
  std::memcpy(region->bytes().data() + 4094, "mapped", 6);
  EXPECT_EQ(Read(*file, 4093, 8), ".mapped.");
  ASSERT_TRUE(file->WriteAt(4096, AsBytes("WRITTEN")));
  EXPECT_EQ(AsText(region->bytes().subspan(4094, 10)), "maWRITTEN.");
  ASSERT_TRUE(file->Sync());
  file.reset();
  std::memcpy(region->bytes().data(), "after close", 11);
  region.reset();
  EXPECT_EQ(Read("a").substr(0, 12), "after close.");
}

TEST_P(FileSystemConformanceTest, DirectPathMovesAlignedBlocks) {
  auto opened = files().Open(root() / "a", {FileAccess::kReadWrite, FileCreation::kCreateNew, FilePath::kDirect});
  if (!opened) {
    EXPECT_EQ(CodeOf(opened, root() / "a"), ErrorCode::kUnsupported);
    EXPECT_TRUE(Names("").empty()) << "a refused open leaves nothing behind";
    return;
  }
  const std::unique_ptr<std::byte[], void (*)(void*)> memory(static_cast<std::byte*>(std::aligned_alloc(4096, 8192)),
                                                             &std::free);
  const std::span<std::byte> block(memory.get(), 4096), other(memory.get() + 4096, 4096);
  std::memset(block.data(), 'd', block.size());
  ASSERT_TRUE((*opened)->WriteAt(4096, block));
  ASSERT_TRUE((*opened)->Sync());
  EXPECT_EQ(*(*opened)->ReadAt(4096, other), 4096U);
  EXPECT_EQ(AsText(other), AsText(block));
  EXPECT_EQ(*(*opened)->ReadAt(0, other), 4096U);
  EXPECT_EQ(other[17], std::byte{});
}

TEST_P(FileSystemConformanceTest, RenameReplacesAndKeepsOpenHandles) {
  Write("a", "new");
  Write("b", "old");
  auto replaced = *files().Open(root() / "b", {});
  auto moved = *files().Open(root() / "a", {});
  ASSERT_TRUE(files().Rename(root() / "a", root() / "b"));
  EXPECT_EQ(Names(""), std::vector<std::string>{"b"});
  EXPECT_EQ(Read("b"), "new");
  EXPECT_EQ(Read(*replaced, 0, 9), "old");
  EXPECT_EQ(Read(*moved, 0, 9), "new");
  EXPECT_EQ(CodeOf(files().Rename(root() / "a", root() / "c"), root() / "a"), ErrorCode::kNotFound);
  ASSERT_TRUE(files().Rename(root() / "b", root() / "b"));
  EXPECT_EQ(Read("b"), "new");
  ASSERT_TRUE(files().SyncDirectory(root()));
}

TEST_P(FileSystemConformanceTest, RenameIfAbsentReplacesNothing) {
  Write("a", "new");
  Write("b", "old");
  ASSERT_TRUE(files().CreateDirectories(root() / "d"));
  for (const std::string taken : {"b", "d"}) {
    EXPECT_EQ(CodeOf(files().RenameIfAbsent(root() / "a", root() / taken), root() / taken), ErrorCode::kAlreadyExists);
  }
  EXPECT_EQ(Names(""), (std::vector<std::string>{"a", "b", "d/"}));
  EXPECT_EQ(Read("b"), "old");
  ASSERT_TRUE(files().RenameIfAbsent(root() / "a", root() / "c"));
  EXPECT_EQ(Names(""), (std::vector<std::string>{"b", "c", "d/"}));
  EXPECT_EQ(Read("c"), "new");
  EXPECT_EQ(CodeOf(files().RenameIfAbsent(root() / "a", root() / "e"), root() / "a"), ErrorCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, RemoveKeepsOpenHandles) {
  Write("a", "still here");
  auto file = *files().Open(root() / "a", {});
  ASSERT_TRUE(files().Remove(root() / "a"));
  EXPECT_TRUE(Names("").empty());
  EXPECT_EQ(Read(*file, 0, 20), "still here");
  EXPECT_EQ(CodeOf(files().Remove(root() / "a"), root() / "a"), ErrorCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, DirectoriesAreMadeWithParents) {
  ASSERT_TRUE(files().CreateDirectories(root() / "x" / "y" / "z"));
  ASSERT_TRUE(files().CreateDirectories(root() / "x" / "y"));
  ASSERT_TRUE(files().CreateDirectories(root() / "x" / "w" / ""));
  EXPECT_EQ(Names("x"), (std::vector<std::string>{"w/", "y/"}));
  Write("x/f", "123");
  EXPECT_EQ(Names("x"), (std::vector<std::string>{"f", "w/", "y/"}));
  EXPECT_EQ(files().List(root() / "x")->at(0).size_bytes, 3U);
  EXPECT_EQ(CodeOf(files().CreateDirectories(root() / "x" / "f"), root() / "x" / "f"), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(files().List(root() / "none"), root() / "none"), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(files().SyncDirectory(root() / "none"), root() / "none"), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(files().Remove(root() / "x"), root() / "x"), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(files().Remove(root() / "x" / "w"));
  EXPECT_EQ(Names("x"), (std::vector<std::string>{"f", "y/"}));
}

TEST_P(FileSystemConformanceTest, LockExcludesWithinTheProcessAndNamesTheHolder) {
  const auto path = root() / "lock";
  auto lock = files().Lock(path, "the first engine");
  ASSERT_TRUE(lock) << lock.error().ToString();
  const auto second = files().Lock(path, "the second engine");
  EXPECT_EQ(CodeOf(second, path), ErrorCode::kUnavailable);
  EXPECT_NE(second.error().message().find("the first engine"), std::string_view::npos) << second.error().message();
  lock->reset();
  lock = files().Lock(path, "the third engine");
  ASSERT_TRUE(lock) << lock.error().ToString();
  EXPECT_NE(files().Lock(path, "x").error().message().find("the third engine"), std::string_view::npos);
}

TEST_P(FileSystemConformanceTest, FreeSpaceIsThere) {
  auto space = files().FreeSpace(root());
  ASSERT_TRUE(space) << space.error().ToString();
  EXPECT_GT(*space, 0U);
  EXPECT_EQ(CodeOf(files().FreeSpace(root() / "none"), root() / "none"), ErrorCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, SharedLocksExcludeTheLockAndNotEachOther) {
  const auto path = root() / "lock";
  EXPECT_EQ(CodeOf(files().LockShared(path), path), ErrorCode::kNotFound);
  auto alone = files().Lock(path, "a writer");
  ASSERT_TRUE(alone) << alone.error().ToString();
  const auto refused = files().LockShared(path);
  EXPECT_EQ(CodeOf(refused, path), ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message().find("a writer"), std::string_view::npos) << refused.error().message();
  alone->reset();
  auto first = files().LockShared(path), second = files().LockShared(path);
  ASSERT_TRUE(first) << first.error().ToString();
  ASSERT_TRUE(second) << second.error().ToString();
  first->reset();
  EXPECT_EQ(CodeOf(files().Lock(path, "a writer"), path), ErrorCode::kUnavailable);
  second->reset();
  EXPECT_TRUE(files().Lock(path, "a writer"));
}

INSTANTIATE_TEST_SUITE_P(
    All, FileSystemConformanceTest,
    testing::Values(Kind{"PosixPositional", [] { return std::make_unique<PosixGround>(IoBackEnd::kPositional); }},
                    Kind{"PosixRing", [] { return std::make_unique<PosixGround>(IoBackEnd::kRing); }},
                    Kind{"Sim", [] { return std::make_unique<SimGround>(); }},
                    Kind{"Overlay", [] { return std::make_unique<OverlayGround>(); }}),
    [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace millrace
