// Goal: the simulated disk loses exactly what a real one may lose, and nothing that was synced. Method: each promise of
// the header over many seeds: what must hold holds in all of them, what may happen happens in some. Proves the ground
// of rows 1, 2, 11, 12 and 13 of the table of reliability tests.
#include "env/sim/sim_file_system.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "millrace/bytes.h"

namespace millrace {
namespace {

constexpr FileOptions kReadWrite{.access = FileAccess::kReadWrite, .creation = FileCreation::kOpenOrCreate};
constexpr std::size_t kBlock = 4096;

class SimFileSystemTest : public testing::Test {
 protected:
  SimFileSystemTest() { EXPECT_TRUE(files_.CreateDirectories("/d")); }

  std::unique_ptr<File> Create(const std::filesystem::path& path) { return *files_.Open(path, kReadWrite); }
  /// A file whose contents and name are on the disk.
  std::unique_ptr<File> CreateDurable(const std::filesystem::path& path, std::string_view text) {
    auto file = Create(path);
    EXPECT_TRUE(file->WriteAt(0, AsBytes(text)));
    EXPECT_TRUE(file->Sync());
    EXPECT_TRUE(files_.SyncDirectory(path.parent_path()));
    return file;
  }
  static std::string Text(const SimFileSystem& files, const std::filesystem::path& path) {
    const auto contents = files.Contents(path);
    return std::string(AsText(contents));
  }
  static bool Exists(const SimFileSystem& files, const std::filesystem::path& path) {
    const auto all = files.Files();
    return std::ranges::find(all, path) != all.end();
  }
  /// Every outcome of `look` over many crashes of the disk as it is now.
  template <class Look>
  std::set<std::string> Outcomes(Look look, std::uint64_t seeds = 300) {
    std::set<std::string> outcomes;
    const auto image = files_.Snapshot();
    for (std::uint64_t seed = 0; seed < seeds; ++seed)
      outcomes.insert(look(*SimFileSystem::AfterPowerLoss(*image, seed)));
    return outcomes;
  }
  static std::string Blocks(std::string_view letters) {
    std::string text;
    for (const char letter : letters) text.append(kBlock, letter);
    return text;
  }

  SimFileSystem files_{7};
};

TEST_F(SimFileSystemTest, SyncedDataSurvivesEveryCrash) {
  CreateDurable("/d/a", "kept");
  EXPECT_EQ(Outcomes([](SimFileSystem& files) { return Text(files, "/d/a"); }), std::set<std::string>{"kept"});
  files_.Crash();
  EXPECT_EQ(Text(files_, "/d/a"), "kept");
}

TEST_F(SimFileSystemTest, NameWithoutDirectorySyncMayBeLost) {
  auto file = Create("/d/a");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("kept")));
  ASSERT_TRUE(file->Sync());
  const auto outcomes =
      Outcomes([](SimFileSystem& files) { return Exists(files, "/d/a") ? Text(files, "/d/a") : "absent"; });
  EXPECT_EQ(outcomes, (std::set<std::string>{"kept", "absent"}));
}

TEST_F(SimFileSystemTest, SeedZeroKeepsNothingUnsyncedAndSeedOneAll) {
  auto file = CreateDurable("/d/a", "old");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("newer")));
  Create("/d/b");
  const auto image = files_.Snapshot();
  const auto none = SimFileSystem::AfterPowerLoss(*image, 0), all = SimFileSystem::AfterPowerLoss(*image, 1);
  EXPECT_EQ(Text(*none, "/d/a"), "old");
  EXPECT_FALSE(Exists(*none, "/d/b"));
  EXPECT_EQ(Text(*all, "/d/a"), "newer");
  EXPECT_TRUE(Exists(*all, "/d/b"));
}

TEST_F(SimFileSystemTest, AnySubsetOfUnsyncedBlocksSurvives) {
  auto file = CreateDurable("/d/a", Blocks("ooo"));
  ASSERT_TRUE(file->WriteAt(0, AsBytes(Blocks("nnn"))));
  const auto outcomes = Outcomes(
      [](SimFileSystem& files) {
        const std::string text = Text(files, "/d/a");
        std::string seen;
        for (std::size_t block = 0; block < 3; ++block) {
          const std::string part = text.substr(block * kBlock, kBlock);
          seen += part == Blocks("o") ? 'o' : part == Blocks("n") ? 'n' : 't';
        }
        return seen;
      },
      3000);
  for (const char* wanted : {"ooo", "oon", "ono", "onn", "noo", "non", "nno", "nnn", "too", "nnt"}) {
    EXPECT_TRUE(outcomes.contains(wanted)) << wanted;
  }
}

TEST_F(SimFileSystemTest, LossesAreCounted) {
  auto file = CreateDurable("/d/a", Blocks("oo"));
  ASSERT_TRUE(file->WriteAt(0, AsBytes(Blocks("nnn"))));
  Create("/d/b");
  const auto image = files_.Snapshot();
  const SimLosses none = SimFileSystem::AfterPowerLoss(*image, 0)->losses();
  EXPECT_EQ(none.blocks_lost, 3U);
  EXPECT_EQ(none.names_lost, 1U);
  EXPECT_EQ(none.sizes_lost, 1U);
  const SimLosses all = SimFileSystem::AfterPowerLoss(*image, 1)->losses();
  EXPECT_EQ(all.blocks_kept, 3U);
  EXPECT_EQ(all.names_kept, 1U);
  EXPECT_EQ(all.sizes_kept, 1U);
  EXPECT_EQ(all.blocks_lost + all.blocks_torn + all.blocks_overtaken, 0U);
}

TEST_F(SimFileSystemTest, BlocksTearAtSectors) {
  auto file = CreateDurable("/d/a", Blocks("o"));
  ASSERT_TRUE(file->WriteAt(0, AsBytes(Blocks("n"))));
  std::uint64_t torn = 0;
  Outcomes([&torn](SimFileSystem& files) {
    const std::string text = Text(files, "/d/a");
    std::string sectors;
    for (std::size_t sector = 0; sector < 8; ++sector) {
      const std::string part = text.substr(sector * 512, 512);
      EXPECT_TRUE(part == std::string(512, 'o') || part == std::string(512, 'n'));
      sectors += part[0];
    }
    torn += sectors.find('o') != std::string::npos && sectors.find('n') != std::string::npos ? 1 : 0;
    return sectors;
  });
  EXPECT_GT(torn, 10U);
}

TEST_F(SimFileSystemTest, AnyVersionSinceTheSyncMaySurvive) {
  auto file = CreateDurable("/d/a", "0");
  for (const char* version : {"1", "2", "3"}) ASSERT_TRUE(file->WriteAt(0, AsBytes(version)));
  const auto outcomes = Outcomes([](SimFileSystem& files) { return Text(files, "/d/a"); });
  EXPECT_EQ(outcomes, (std::set<std::string>{"0", "1", "2", "3"}));
}

TEST_F(SimFileSystemTest, SizeIsLostUnlessSynced) {
  auto file = CreateDurable("/d/a", "1234");
  ASSERT_TRUE(file->WriteAt(4, AsBytes("5678")));
  std::set<std::string> outcomes;
  for (const auto& text : Outcomes([](SimFileSystem& files) { return Text(files, "/d/a"); })) {
    outcomes.insert(text.substr(0, 8));
    for (const char byte : text.substr(std::min<std::size_t>(8, text.size()))) EXPECT_EQ(byte, '\0');
  }
  EXPECT_TRUE(outcomes.contains("1234"));
  EXPECT_TRUE(outcomes.contains("12345678"));
  EXPECT_TRUE(outcomes.contains(std::string("1234\0\0\0\0", 8))) << "size without data";
  EXPECT_EQ(outcomes.size(), 3U) << testing::PrintToString(outcomes);
}

TEST_F(SimFileSystemTest, RenameIsAtomicAndMayOrMayNotPersist) {
  CreateDurable("/d/a", "new");
  CreateDurable("/d/b", "old");
  ASSERT_TRUE(files_.Rename("/d/a", "/d/b"));
  const auto look = [](SimFileSystem& files) {
    return (Exists(files, "/d/a") ? Text(files, "/d/a") : "none") + "," + Text(files, "/d/b");
  };
  EXPECT_EQ(Outcomes(look), (std::set<std::string>{"new,old", "none,new"}));
  ASSERT_TRUE(files_.SyncDirectory("/d"));
  EXPECT_EQ(Outcomes(look), std::set<std::string>{"none,new"});
}

TEST_F(SimFileSystemTest, ChangesOfOneNameKeepTheirOrder) {
  CreateDurable("/d/a", "first");
  ASSERT_TRUE(files_.Rename("/d/a", "/d/b"));
  Create("/d/a")->WriteAt(0, AsBytes("second")).value();
  // The second file may not take the name while the first one's rename is lost: the first would be lost with it.
  for (const auto& outcome : Outcomes([](SimFileSystem& files) {
         const bool moved = Exists(files, "/d/b");
         return std::string(moved ? "moved " : "there ") + (Exists(files, "/d/a") ? Text(files, "/d/a") : "");
       })) {
    if (outcome.starts_with("there")) EXPECT_EQ(outcome, "there first");
  }
}

TEST_F(SimFileSystemTest, RemovedNameMayComeBack) {
  CreateDurable("/d/a", "here");
  ASSERT_TRUE(files_.Remove("/d/a"));
  const auto look = [](SimFileSystem& files) { return Exists(files, "/d/a") ? Text(files, "/d/a") : "gone"; };
  EXPECT_EQ(Outcomes(look), (std::set<std::string>{"here", "gone"}));
  ASSERT_TRUE(files_.SyncDirectory("/d"));
  EXPECT_EQ(Outcomes(look), std::set<std::string>{"gone"});
}

TEST_F(SimFileSystemTest, StoresIntoAMappingAreThePageCache) {
  auto file = CreateDurable("/d/a", Blocks("oo"));
  auto region = *file->Map(2 * kBlock);
  std::memset(region->bytes().data(), 'n', kBlock);
  const auto look = [](SimFileSystem& files) { return Text(files, "/d/a").substr(kBlock - 1, 2); };
  const auto unsynced = Outcomes(look);
  EXPECT_EQ(unsynced, (std::set<std::string>{"oo", "no"}));
  files_.KillProcess();
  EXPECT_EQ(Text(files_, "/d/a"), Blocks("no")) << "survives the process";
  std::memset(region->bytes().data(), 'x', kBlock);
  EXPECT_EQ(Text(files_, "/d/a"), Blocks("no")) << "a dead mapping reaches nothing";
}

TEST_F(SimFileSystemTest, SyncWritesOutTheMapping) {
  auto file = CreateDurable("/d/a", Blocks("o"));
  auto region = *file->Map(kBlock);
  std::memset(region->bytes().data(), 'n', kBlock);
  ASSERT_TRUE(file->Sync());
  EXPECT_EQ(Outcomes([](SimFileSystem& files) { return Text(files, "/d/a"); }), std::set<std::string>{Blocks("n")});
}

TEST_F(SimFileSystemTest, FailedSyncThatLeavesPagesCleanIsNotHealedByTheNext) {
  auto file = CreateDurable("/d/a", "old");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("new")));
  files_.SetFaultPlan([](SimOperation operation, const auto&, auto) {
    return operation == SimOperation::kSync ? std::optional(SimFault{}) : std::nullopt;
  });
  EXPECT_EQ(file->Sync().error().code(), ErrorCode::kUnavailable);
  files_.SetFaultPlan(nullptr);
  EXPECT_EQ(Text(files_, "/d/a"), "new") << "the page cache still shows it";
  ASSERT_TRUE(file->Sync()) << "and the next sync claims success";
  const auto look = [](SimFileSystem& files) { return Text(files, "/d/a"); };
  EXPECT_EQ(Outcomes(look), (std::set<std::string>{"old", "new"})) << "but the disk may never have got it";
  ASSERT_TRUE(file->WriteAt(0, AsBytes("New")));
  ASSERT_TRUE(file->Sync());
  EXPECT_EQ(Outcomes(look), std::set<std::string>{"New"}) << "a rewritten page is dirty again";
}

TEST_F(SimFileSystemTest, FailedSyncThatLeavesPagesDirtyIsHealedByTheNext) {
  auto file = CreateDurable("/d/a", "old");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("new")));
  files_.SetFaultPlan([](SimOperation operation, const auto&, auto) {
    return operation == SimOperation::kSync ? std::optional(SimFault{.pages_left_clean = false}) : std::nullopt;
  });
  EXPECT_FALSE(file->Sync());
  files_.SetFaultPlan(nullptr);
  ASSERT_TRUE(file->Sync());
  EXPECT_EQ(Outcomes([](SimFileSystem& files) { return Text(files, "/d/a"); }), std::set<std::string>{"new"});
}

TEST_F(SimFileSystemTest, DeadHandlesAnswerClosedAndLocksAreFree) {
  auto file = CreateDurable("/d/a", "x");
  auto lock = files_.Lock("/d/lock", "one");
  ASSERT_TRUE(lock);
  files_.KillProcess();
  EXPECT_EQ(file->WriteAt(0, AsBytes("y")).error().code(), ErrorCode::kClosed);
  EXPECT_EQ(file->Sync().error().code(), ErrorCode::kClosed);
  auto second = files_.Lock("/d/lock", "two");
  ASSERT_TRUE(second);
  lock->reset();
  EXPECT_FALSE(files_.Lock("/d/lock", "three")) << "the dead holder frees nothing";
  file.reset();
  EXPECT_EQ(Text(files_, "/d/a"), "x");
}

TEST_F(SimFileSystemTest, FaultPlanFailsTheCallItNames) {
  std::vector<std::uint64_t> seen;
  files_.SetFaultPlan([&seen](SimOperation operation, const std::filesystem::path& path, std::uint64_t call) {
    seen.push_back(call);
    return operation == SimOperation::kWrite && path == "/d/a"
               ? std::optional(SimFault{.code = ErrorCode::kOutOfSpace, .bytes_written = 3})
               : std::nullopt;
  });
  auto file = Create("/d/a");
  EXPECT_EQ(file->WriteAt(0, AsBytes("12345")).error().code(), ErrorCode::kOutOfSpace);
  EXPECT_EQ(Text(files_, "/d/a"), "123") << "a failed write may leave a part";
  EXPECT_TRUE(Create("/d/b")->WriteAt(0, AsBytes("x")));
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen.back(), files_.calls());
  EXPECT_EQ(seen.back() - seen.front(), 3U);
  EXPECT_EQ(files_.calls(SimOperation::kWrite), 2U);
}

TEST_F(SimFileSystemTest, FullDiskRefusesAndHeals) {
  files_.SetCapacity(4 * kBlock);
  auto file = CreateDurable("/d/a", Blocks("aa"));
  EXPECT_EQ(*files_.FreeSpace("/d"), 2 * kBlock);
  EXPECT_EQ(file->Allocate(5 * kBlock).error().code(), ErrorCode::kOutOfSpace);
  EXPECT_EQ(file->WriteAt(2 * kBlock, AsBytes(Blocks("bbb"))).error().code(), ErrorCode::kOutOfSpace);
  EXPECT_EQ(*files_.FreeSpace("/d"), 0U);
  EXPECT_TRUE(file->WriteAt(0, AsBytes(Blocks("cc")))) << "overwriting needs no space";
  EXPECT_TRUE(files_.Open("/d/b", kReadWrite));
  ASSERT_TRUE(files_.Remove("/d/a"));
  EXPECT_EQ(*files_.FreeSpace("/d"), 0U) << "held by the open handle";
  file.reset();
  EXPECT_EQ(*files_.FreeSpace("/d"), 4 * kBlock);
}

TEST_F(SimFileSystemTest, TraitsCanBeMissing) {
  SimFileSystem plain(1, {.direct = false, .allocate = false, .map = false});
  ASSERT_TRUE(plain.CreateDirectories("/d"));
  FileOptions direct = kReadWrite;
  direct.path = FilePath::kDirect;
  EXPECT_EQ(plain.Open("/d/a", direct).error().code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(plain.Files().empty());
  auto file = *plain.Open("/d/a", kReadWrite);
  EXPECT_EQ(file->Allocate(4096).error().code(), ErrorCode::kUnsupported);
  ASSERT_TRUE(file->Truncate(4096));
  EXPECT_EQ(file->Map(4096).error().code(), ErrorCode::kUnsupported);
}

TEST_F(SimFileSystemTest, DirectPathRefusesWhatTheKernelWould) {
  FileOptions direct = kReadWrite;
  direct.path = FilePath::kDirect;
  auto file = *files_.Open("/d/a", direct);
  alignas(4096) std::array<std::byte, 2 * kBlock> memory{};
  const std::span<std::byte> all(memory);
  EXPECT_TRUE(file->WriteAt(0, all));
  EXPECT_EQ(file->WriteAt(512, all).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(file->WriteAt(0, all.first(512)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(file->WriteAt(0, all.subspan(8, kBlock)).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(file->ReadAt(0, all.subspan(8, kBlock)).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(SimFileSystemTest, RotTouchesPageCacheAndDiskAlike) {
  auto file = CreateDurable("/d/a", "aaaa");
  files_.FlipBit("/d/a", 1, 0);
  EXPECT_EQ(Text(files_, "/d/a"), "a`aa");
  EXPECT_EQ(Outcomes([](SimFileSystem& files) { return Text(files, "/d/a"); }), std::set<std::string>{"a`aa"});
  files_.Overwrite("/d/a", 2, AsBytes("ZZ"));
  EXPECT_EQ(Text(files_, "/d/a"), "a`ZZ");
}

TEST_F(SimFileSystemTest, ObserverSeesEveryChangeAndMaySnapshot) {
  std::vector<SimOperation> seen;
  files_.SetObserver([this, &seen](SimOperation operation, const std::filesystem::path&) {
    seen.push_back(operation);
    EXPECT_NE(files_.Snapshot(), nullptr);
  });
  auto file = CreateDurable("/d/a", "x");
  std::byte byte{};
  ASSERT_TRUE(file->ReadAt(0, {&byte, 1}));
  ASSERT_TRUE(files_.Rename("/d/a", "/d/b"));
  ASSERT_TRUE(files_.Remove("/d/b"));
  EXPECT_EQ(seen, (std::vector{SimOperation::kCreate, SimOperation::kWrite, SimOperation::kSync,
                               SimOperation::kSyncDirectory, SimOperation::kRename, SimOperation::kRemove}));
}

TEST_F(SimFileSystemTest, SameSeedSameCrash) {
  auto file = CreateDurable("/d/a", Blocks("oooooooo"));
  ASSERT_TRUE(file->WriteAt(0, AsBytes(Blocks("nnnnnnnnnnn"))));
  const auto image = files_.Snapshot();
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(Text(*SimFileSystem::AfterPowerLoss(*image, seed), "/d/a"),
              Text(*SimFileSystem::AfterPowerLoss(*image, seed), "/d/a"));
  }
}

}  // namespace
}  // namespace millrace
