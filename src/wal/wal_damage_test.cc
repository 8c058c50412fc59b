// Goal: every kind of damage gets its verdict, and no damage is ever served or taken for "no data". Method: one test
// per row of the decision table, made with real files of the simulated disk; then every byte flipped, every length cut.
// Proves W14, W15, W16, S16, S21, S23, W20, W35; rows 1 and 10 of the reliability table for this room.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/coding.h"
#include "wal/file_header.h"
#include "wal/frame.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

const std::filesystem::path kFirstFile = std::filesystem::path(kWalDirectory) / "00000001.wal";
const std::filesystem::path kStaging = std::filesystem::path(kWalDirectory) / "staging";

std::uint64_t Met(const OpenedWal& wal, WalVerdict verdict) {
  return wal->recovery().verdicts[static_cast<std::size_t>(verdict)];
}

class WalDamageTest : public testing::Test {
 protected:
  /// `count` frames, each synced by itself, then the process dies; staging is wiped, as after a power loss.
  void Write(std::uint64_t count, std::size_t bytes = 300) {
    auto wal = OpenWal(disk_, clock_);
    for (std::uint64_t n = 0; n < count; ++n) {
      written_.push_back(Payload(n, bytes));
      extents_.push_back(*AppendDurably(*wal.wal, written_.back()));
    }
    disk_.KillProcess();
    Wipe();
  }
  void Wipe() {
    const std::vector<std::byte> zeros(SmallWal().staging_bytes);
    disk_.Overwrite(kStaging, 0, zeros);
  }
  [[nodiscard]] std::uint64_t At(std::size_t frame) const {
    return kWalFileHeaderBytes + static_cast<std::uint64_t>(extents_[frame].begin.value());
  }
  void Zero(std::uint64_t offset, std::size_t bytes) {
    disk_.Overwrite(kFirstFile, offset, std::vector<std::byte>(bytes));
  }
  [[nodiscard]] std::vector<std::string> Without(std::size_t frame) const {
    auto rest = written_;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(frame));
    return rest;
  }

  SimFileSystem disk_;
  SimClock clock_;
  std::vector<std::string> written_;
  std::vector<WalExtent> extents_;
};

TEST_F(WalDamageTest, TornTailIsCutAndTheLogGoesOn) {
  Write(5);
  disk_.FlipBit(kFirstFile, At(4) + 100, 3);
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kTornTail), 1U);
  EXPECT_EQ(wal.replay->payloads(), Without(4));
  EXPECT_TRUE(wal.replay->damage.empty());
  EXPECT_FALSE(wal->NextDue()) << "the header of the file that was begun proves what lies before it";
  auto expected = Without(4);
  for (int i = 0; i < 5; ++i) {
    expected.push_back(Payload(100 + i, 200));
    ASSERT_TRUE(AppendDurably(*wal.wal, expected.back()));
  }
  disk_.Crash();
  EXPECT_EQ(OpenWal(disk_, clock_).replay->payloads(), expected);
}

TEST_F(WalDamageTest, HoleOfWritesInFlightIsCutWithWhatFollows) {
  {
    auto wal = OpenWal(disk_, clock_);
    ASSERT_TRUE(AppendDurably(*wal.wal, "first"));
    // One group of several blocks: no frame of it knows another as synced.
    for (int n = 0; n < 5; ++n) extents_.push_back(*Append(*wal.wal, Payload(n, 5000)));
    ASSERT_TRUE(wal->AwaitDurable(extents_.back().end));
    disk_.KillProcess();
    Wipe();
  }
  Zero(At(1), 4096);
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kHole), 1U);
  EXPECT_EQ(wal.replay->frames.size(), 2U);
  EXPECT_TRUE(wal.replay->damage.empty());
  EXPECT_GT(wal->recovery().bytes_cut, 0U);
  ASSERT_TRUE(AppendDurably(*wal.wal, "next"));
  disk_.Crash();
  EXPECT_EQ(OpenWal(disk_, clock_).replay->payloads(), (std::vector<std::string>{"first", Payload(0, 5000), "next"}));
}

TEST_F(WalDamageTest, DamageInTheMiddleIsReportedAndWhatFollowsKept) {
  Write(6);
  for (const bool zeros : {false, true}) {
    if (zeros) {
      Zero(At(2), 4096);
    } else {
      disk_.FlipBit(kFirstFile, At(2) + 20, 1);
    }
    auto wal = OpenWal(disk_, clock_);
    EXPECT_GE(Met(wal, WalVerdict::kDamage), 1U);
    EXPECT_EQ(wal.replay->payloads(), Without(2));
    ASSERT_EQ(wal.replay->damage.size(), 1U);
    const WalDamage& damage = wal.replay->damage[0];
    EXPECT_EQ(damage.file, "00000001.wal");
    EXPECT_LE(damage.extent.begin, extents_[2].begin);
    EXPECT_GE(damage.extent.end, extents_[2].end);
    const auto read = wal->Read(WalStream(1), {extents_[2].begin, extents_[3].end}, 1 << 20);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::kCorruption);
    ASSERT_NE(read.error().damage(), nullptr);
    EXPECT_EQ(read.error().damage()->place, "00000001.wal");
    EXPECT_EQ(wal->EndOf(*read.error().damage()), damage.extent.end);
    EXPECT_EQ(wal->EndOf({.place = "00000009.wal", .byte_end = 8192}), std::nullopt);
    disk_.KillProcess();
  }
}

TEST_F(WalDamageTest, AMarkProvesTheLastFrame) {
  {
    auto wal = OpenWal(disk_, clock_);
    extents_.push_back(*AppendDurably(*wal.wal, "last"));
    ASSERT_TRUE(wal->Close());
  }
  Wipe();
  disk_.FlipBit(kFirstFile, At(0) + 58, 0);
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kDamage), 1U);
  EXPECT_EQ(wal.replay->damage.size(), 1U);
  ASSERT_TRUE(wal->Recycle(extents_[0].begin, DiskWal::Seal::kKeepActive));
  EXPECT_EQ(wal->begin(), extents_[0].begin) << "the evidence is kept until somebody has taken it up";
}

TEST_F(WalDamageTest, AMarkProvesWhatAnEarlierProcessLeftWithoutOne) {
  {
    auto wal = OpenWal(disk_, clock_);
    extents_.push_back(*AppendDurably(*wal.wal, "first"));
    extents_.push_back(*AppendDurably(*wal.wal, "last"));
    disk_.KillProcess();
  }
  {
    auto wal = OpenWal(disk_, clock_);
    ASSERT_TRUE(wal->Close());
  }
  const auto closed = disk_.Contents(kFirstFile);
  {
    auto wal = OpenWal(disk_, clock_);
    ASSERT_TRUE(wal->Close());
  }
  EXPECT_EQ(disk_.Contents(kFirstFile), closed) << "one mark is enough";
  Wipe();
  disk_.FlipBit(kFirstFile, At(1) + 58, 0);
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kDamage), 1U);
  EXPECT_EQ(wal.replay->payloads(), std::vector<std::string>{"first"});
}

TEST_F(WalDamageTest, AMarkProvesTheLastFrameOfAFullFile) {
  auto options = SmallWal();
  options.staging_bytes = 128 << 10;  // no frame is too large for the ring
  const std::int64_t file_end = static_cast<std::int64_t>(options.file_bytes) - 4096;
  for (int blocks_left = 0; blocks_left <= 3; ++blocks_left) {
    SimFileSystem disk;
    const auto first = Payload(0, 30 << 10);
    WalExtent last;
    {
      auto wal = OpenWal(disk, clock_, options);
      const auto begun = AppendDurably(*wal.wal, first);
      ASSERT_TRUE(begun);
      const std::int64_t rest = file_end - 4096 * blocks_left - BlockUp(begun->end).value() - 56;
      last = *AppendDurably(*wal.wal, Payload(1, static_cast<std::size_t>(rest)));
      ASSERT_TRUE(wal->Close());
    }
    disk.Overwrite(kStaging, 0, std::vector<std::byte>(options.staging_bytes));
    const auto second = std::filesystem::path(kWalDirectory) / "00000002.wal";
    const auto files = disk.Files();
    const bool rolled = std::ranges::find(files, second) != files.end();
    const std::int64_t base = rolled ? last.begin.value() : 0;
    disk.FlipBit(rolled ? second : kFirstFile,
                 kWalFileHeaderBytes + static_cast<std::uint64_t>(last.begin.value() - base) + 100, 0);
    auto wal = OpenWal(disk, clock_, options);
    EXPECT_EQ(wal.replay->payloads(), std::vector{first}) << blocks_left;
    EXPECT_EQ(Met(wal, WalVerdict::kDamage), 1U) << blocks_left;
    EXPECT_EQ(wal.replay->damage.size(), 1U) << blocks_left;
  }
}

TEST_F(WalDamageTest, TheSuccessorProvesTheEndOfAFile) {
  Write(40);  // into a second file
  const auto last = std::ranges::find_if(extents_, [](const WalExtent& e) { return e.begin.value() >= 56 << 10; });
  ASSERT_NE(last, extents_.end());
  const auto frame = static_cast<std::size_t>(last - extents_.begin()) - 1;
  Zero(At(frame), 4096);
  auto wal = OpenWal(disk_, clock_);
  ASSERT_EQ(wal.replay->damage.size(), 1U);
  EXPECT_EQ(wal.replay->payloads(), Without(frame));
}

TEST_F(WalDamageTest, StaleAndMisplacedFramesAreNotFrames) {
  Write(4);
  const auto bytes = disk_.Contents(kFirstFile);
  // The third frame's place holds a copy of the second, whole and of this generation.
  disk_.Overwrite(kFirstFile, At(3), std::span(bytes).subspan(At(1), 4096));
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kDuplicateFrame), 1U);
  EXPECT_EQ(wal.replay->payloads(), Without(3));
  disk_.KillProcess();
  // And now one of an older generation that believes to be right there.
  WalFrameHeader header = *DecodeWalFrameHeader(std::span(bytes).subspan(At(3)));
  header.generation = 0;
  std::array<std::byte, kWalFrameHeaderBytes> stale;
  EncodeWalFrameHeader(header, stale);
  disk_.Overwrite(kFirstFile, At(3), std::span(bytes).subspan(At(3), 4096));
  disk_.Overwrite(kFirstFile, At(3), stale);
  Wipe();
  wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kStaleFrame), 1U);
  EXPECT_EQ(wal.replay->payloads(), Without(3));
}

TEST_F(WalDamageTest, AFrameThatNamesNoFrameBeforeItAsTheOneBeforeIsNoFrame) {
  Write(6);
  Zero(At(2), 4096);  // what stands before it cannot tell
  const auto bytes = disk_.Contents(kFirstFile);
  WalFrameHeader header = *DecodeWalFrameHeader(std::span(bytes).subspan(At(3)));
  header.previous = header.position;
  std::array<std::byte, kWalFrameHeaderBytes> changed;
  EncodeWalFrameHeader(header, changed);
  disk_.Overwrite(kFirstFile, At(3), changed);
  const auto wal = OpenWal(disk_, clock_);
  auto expected = Without(3);
  expected.erase(expected.begin() + 2);
  EXPECT_EQ(wal.replay->payloads(), expected);
}

TEST_F(WalDamageTest, AMissingFileIsDamage) {
  Write(60);
  ASSERT_TRUE(disk_.Remove(std::filesystem::path(kWalDirectory) / "00000002.wal"));
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kMissingFile), 1U);
  ASSERT_FALSE(wal.replay->damage.empty());
  EXPECT_LT(wal.replay->frames.size(), written_.size());
  EXPECT_EQ(wal.replay->payloads().back(), written_.back());
  EXPECT_EQ(wal.replay->payloads().front(), written_.front());
}

TEST_F(WalDamageTest, WhatWasStagedForAFileThatIsGoneDoesNotFollowNewFrames) {
  auto options = SmallWal();
  options.sync = SyncPolicy::None();
  std::vector<WalExtent> in_second;
  {
    auto wal = OpenWal(disk_, clock_, options);
    for (std::uint64_t n = 0; n < 14; ++n) {  // as many as fit the first file
      written_.push_back(Payload(n, 3000));
      ASSERT_TRUE(AppendDurably(*wal.wal, written_.back()));
    }
    for (std::uint64_t n = 14; n < 17; ++n) {
      written_.push_back(Payload(n, 8192 - kWalFrameHeaderBytes));
      in_second.push_back(*Append(*wal.wal, written_.back()));
      ASSERT_TRUE(*wal->CommitOnce());  // written and not synced: none knows another as synced
    }
    ASSERT_EQ(wal->Stats().files, 2U);
    disk_.KillProcess();
  }
  ASSERT_TRUE(disk_.Remove(std::filesystem::path(kWalDirectory) / "00000002.wal"));
  const auto ring_bytes = static_cast<std::int64_t>(options.staging_bytes);
  disk_.FlipBit(kStaging, static_cast<std::uint64_t>(in_second[1].begin.value() % ring_bytes) + 100, 0);
  written_.resize(15);  // the one behind the flipped one lies in the ring all the same
  {
    auto wal = OpenWal(disk_, clock_, options);
    EXPECT_EQ(Met(wal, WalVerdict::kHole), 1U);
    EXPECT_EQ(wal.replay->payloads(), written_);
    ASSERT_TRUE(wal->Recycle(in_second[0].begin, DiskWal::Seal::kSealActive));
    EXPECT_EQ(wal->Stats().files, 2U) << "what is needed of it keeps the new file in use";
    written_.push_back(Payload(100, 8192 - kWalFrameHeaderBytes));
    const auto again = AppendDurably(*wal.wal, written_.back());
    ASSERT_TRUE(again);
    ASSERT_EQ(again->begin, in_second[1].begin);
    disk_.KillProcess();
  }
  EXPECT_EQ(OpenWal(disk_, clock_, options).replay->payloads(), written_);
}

TEST_F(WalDamageTest, OneHeaderCopyIsEnoughAndFramesTellALostHeader) {
  Write(5);
  disk_.FlipBit(kFirstFile, 20, 1);
  EXPECT_EQ(OpenWal(disk_, clock_).replay->payloads(), written_);
  disk_.KillProcess();
  Zero(0, 4096);
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kRepairedHeader), 1U);
  EXPECT_EQ(wal.replay->payloads(), written_);
}

TEST_F(WalDamageTest, AFileWithoutHeaderAndFramesIsRemoved) {
  Write(3);
  const auto stray = std::filesystem::path(kWalDirectory) / "00000009.wal";
  {
    auto file = disk_.Open(stray, {.access = FileAccess::kReadWrite, .creation = FileCreation::kCreateNew});
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->WriteAt(0, std::vector<std::byte>(8192)));
  }
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kInterruptedCreation), 1U);
  EXPECT_EQ(wal.replay->payloads(), written_);
  EXPECT_EQ(std::ranges::count(disk_.Files(), stray), 0);
}

TEST_F(WalDamageTest, ACopyOfAFileIsLeftAlone) {
  Write(3);
  const auto copy = std::filesystem::path(kWalDirectory) / "00000009.wal";
  {
    auto file = disk_.Open(copy, {.access = FileAccess::kReadWrite, .creation = FileCreation::kCreateNew});
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->WriteAt(0, disk_.Contents(kFirstFile)));
  }
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(Met(wal, WalVerdict::kDuplicateFile), 1U);
  EXPECT_EQ(wal.replay->payloads(), written_);
}

TEST_F(WalDamageTest, WhatTheDiskCannotReadKeepsTheLogShutAndIsAllThereLater) {
  for (const std::uint64_t frames : {5U, 60U}) {  // in one file, and in several
    SimFileSystem disk;
    std::vector<std::string> written;
    {
      auto wal = OpenWal(disk, clock_);
      for (std::uint64_t n = 0; n < frames; ++n) {
        written.push_back(Payload(n, 2000));
        ASSERT_TRUE(AppendDurably(*wal.wal, written.back()));
      }
      disk.KillProcess();
    }
    int refused = 0;
    for (const auto& path : disk.Files()) {
      const bool is_wal_file = path.native().ends_with(".wal");
      for (int from = 1; from <= 4; ++from) {
        const auto before = disk.Files();
        int reads = 0, failed = 0;
        disk.SetFaultPlan(
            [&](SimOperation operation, const std::filesystem::path& of, std::uint64_t) -> std::optional<SimFault> {
              if (operation != SimOperation::kRead || of != path || ++reads < from) return std::nullopt;
              ++failed;
              return SimFault{};
            });
        {
          auto wal = TryOpenWal(disk, clock_);
          disk.SetFaultPlan(nullptr);
          if (from == 1 && is_wal_file) EXPECT_GT(failed, 0) << path << ": the fault must have fired";
          if (!wal) {
            ++refused;
            EXPECT_EQ(wal.error().code(), ErrorCode::kUnavailable) << wal.error().ToString();
            if (is_wal_file) EXPECT_NE(wal.error().message().find(path.filename().native()), std::string::npos);
            EXPECT_EQ(disk.Files(), before) << "nothing was made or removed";
          } else {
            EXPECT_EQ(wal->replay->payloads(), written) << path << " from read " << from;
          }
        }
        disk.KillProcess();
        auto healed = OpenWal(disk, clock_);
        EXPECT_EQ(healed.replay->payloads(), written) << path << " from read " << from;
        EXPECT_TRUE(healed.replay->damage.empty());
        disk.KillProcess();
      }
    }
    EXPECT_GT(refused, 2);
  }
}

TEST_F(WalDamageTest, AFlippedPayloadByteIsItsStreamsAlone) {
  struct Told final : WalReplay {
    Result<void> OnFrame(WalStream stream, WalExtent, std::span<const std::byte>) override {
      frames.push_back(stream);
      return {};
    }
    Result<void> OnDamage(const WalDamage& damage) override {
      unknown.push_back(damage);
      return {};
    }
    Result<void> OnDamagedFrame(const WalDamage& damage, std::span<const std::byte> payload) override {
      known.push_back(damage);
      bytes = payload.size();
      return {};
    }
    std::vector<WalStream> frames;
    std::vector<WalDamage> unknown, known;
    std::size_t bytes = 0;
  };
  std::vector<WalExtent> extents;
  {
    auto wal = OpenWal(disk_, clock_);
    for (int group = 0; group < 3; ++group) {  // of three frames each, of different streams
      for (int n = 0; n < 3; ++n)
        extents.push_back(*Append(*wal.wal, Payload(static_cast<std::uint64_t>(n), 500), WalStream(10 + n)));
      ASSERT_TRUE(wal->AwaitDurable(extents.back().end));
    }
    disk_.KillProcess();
    Wipe();
  }
  const auto image = disk_.Snapshot();
  const auto place = [&](std::size_t frame) {
    return kWalFileHeaderBytes + static_cast<std::uint64_t>(extents[frame].begin.value());
  };
  for (const std::size_t frame : {0U, 1U, 2U, 4U, 5U}) {
    auto disk = SimFileSystem::AfterPowerLoss(*image, 1);
    disk->FlipBit(kFirstFile, place(frame) + kWalFrameHeaderBytes + 200, 3);
    Told told;
    auto wal = DiskWal::Open(SmallWal(), *disk, clock_, told);
    ASSERT_TRUE(wal);
    EXPECT_EQ(told.frames.size(), 8U) << frame << ": its neighbours in the group are whole";
    EXPECT_TRUE(told.unknown.empty());
    ASSERT_EQ(told.known.size(), 1U);
    EXPECT_EQ(told.known[0].stream, WalStream(10 + frame % 3));
    EXPECT_EQ(told.known[0].extent, extents[frame]);
    EXPECT_EQ(told.bytes, 500U);
    const auto other = (*wal)->Read(WalStream(10 + (frame + 1) % 3), {extents[0].begin, (*wal)->end()}, 1 << 20);
    ASSERT_TRUE(other) << other.error().ToString();
    EXPECT_EQ(other->frames.size(), 3U);
    ASSERT_TRUE(AppendDurably(**wal, "goes on"));
    wal = Error(ErrorCode::kClosed, "");
    disk->KillProcess();
    Told again;
    wal = DiskWal::Open(SmallWal(), *disk, clock_, again);
    ASSERT_TRUE(wal);
    EXPECT_EQ(again.frames.size(), 9U);
    EXPECT_EQ(again.known.size(), 1U);
  }
  // A damaged header does not tell whose frame it was, but recovery knows that it was one.
  auto disk = SimFileSystem::AfterPowerLoss(*image, 1);
  disk->FlipBit(kFirstFile, place(1) + 50, 3);
  Told told;
  auto wal = DiskWal::Open(SmallWal(), *disk, clock_, told);
  ASSERT_TRUE(wal);
  ASSERT_EQ(told.unknown.size(), 1U);
  EXPECT_TRUE(told.unknown[0].one_frame);
  EXPECT_EQ(told.unknown[0].extent, extents[1]);
  EXPECT_EQ(told.frames.size(), 8U);
}

TEST_F(WalDamageTest, WhatAnOlderLifeLeftBehindAGroupIsNoDamage) {
  std::uint64_t from_staging = 0;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SimFileSystem disk(seed);
    std::uint64_t n = seed * 1'000;
    const auto size = [&] { return 40 + n * 7919 % 1500; };
    for (int life = 0; life < 6; ++life) {
      auto wal = OpenWal(disk, clock_);
      ASSERT_TRUE(wal.wal);
      EXPECT_TRUE(wal.replay->damage.empty());
      for (int i = 0; i < 60; ++i, ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, size())));
      ASSERT_TRUE(wal->Recycle(wal->end(), DiskWal::Seal::kKeepActive));
      for (std::uint64_t i = 0; i < 1 + (seed + static_cast<std::uint64_t>(life)) % 9; ++i, ++n)
        ASSERT_TRUE(Append(*wal.wal, Payload(n, size())));
      disk.KillProcess();
      wal = OpenWal(disk, clock_);
      ASSERT_TRUE(wal.wal);
      from_staging += wal->recovery().frames_from_staging;
      const auto all = wal->Read(WalStream(1), {wal->begin(), wal->end()}, 64 << 20);
      ASSERT_TRUE(all) << "seed " << seed << ", life " << life << ": " << all.error().ToString();
      EXPECT_EQ(all->frames.size(), wal.replay->frames.size());
      for (const auto& frame : wal.replay->frames) {  // and from each frame on, as a reader with an index does
        const auto one = wal->Read(WalStream(1), {frame.extent.end, wal->end()}, 1);
        ASSERT_TRUE(one) << "seed " << seed << ", life " << life << ": " << one.error().ToString();
      }
      disk.KillProcess();
    }
  }
  EXPECT_GT(from_staging, 0U);
}

TEST_F(WalDamageTest, EveryFlippedBitIsRepairedReportedOrCutAtTheVeryEnd) {
  Write(6, 120);
  const auto image = disk_.Snapshot();
  const std::uint64_t end = At(5) + 4096;
  std::uint64_t flips = 0, cut = 0, reported = 0;
  for (std::uint64_t byte = 0; byte < end; byte += byte % 4096 < 256 ? 1 : 61) {
    const auto after = SimFileSystem::AfterPowerLoss(*image, 1);
    after->FlipBit(kFirstFile, byte, static_cast<unsigned>(byte % 8));
    auto wal = TryOpenWal(*after, clock_);
    ASSERT_TRUE(wal) << byte << ": " << wal.error().ToString();
    const auto found = wal->replay->payloads();
    ++flips;
    if (found == written_) continue;
    ASSERT_EQ(found.size(), written_.size() - 1) << byte;
    if (wal->replay->damage.empty()) {
      EXPECT_EQ(found, Without(5)) << byte;  // the stated limit: the very last group, before its mark
      ++cut;
    } else {
      const auto lost = static_cast<std::size_t>((byte - kWalFileHeaderBytes) / 4096);
      EXPECT_EQ(found, Without(lost)) << byte;
      ++reported;
    }
  }
  EXPECT_GT(flips, 1000U);
  EXPECT_GT(reported, 500U);
  EXPECT_LT(cut, reported);
}

TEST_F(WalDamageTest, CutAtEveryByteEachBatchIsWholeOrAbsentAndFiveMoreFit) {
  Write(2, 500);
  const auto image = disk_.Snapshot();
  for (std::uint64_t length = At(1) - 70; length <= At(1) + 570; ++length) {
    const auto after = SimFileSystem::AfterPowerLoss(*image, 1);
    {
      auto file = after->Open(kFirstFile, {.access = FileAccess::kReadWrite});
      ASSERT_TRUE(file);
      ASSERT_TRUE((*file)->Truncate(length));
    }
    std::vector<std::string> found;
    {
      auto wal = OpenWal(*after, clock_);
      found = wal.replay->payloads();
      ASSERT_TRUE(found == written_ || found == Without(1)) << length;
      ASSERT_FALSE(found.empty());
      for (int i = 0; i < 5; ++i) {
        found.push_back(Payload(50 + i, 100));
        ASSERT_TRUE(AppendDurably(*wal.wal, found.back())) << length;
      }
    }
    after->Crash();
    ASSERT_EQ(OpenWal(*after, clock_).replay->payloads(), found) << length;
  }
}

TEST_F(WalDamageTest, TheTableJudgesEveryCombination) {
  for (const bool unreadable : {false, true}) {
    for (const bool later : {false, true}) {
      for (const bool synced : {false, true}) {
        const WalVerdict expected = unreadable ? WalVerdict::kReadError
                                    : synced   ? WalVerdict::kDamage
                                    : later    ? WalVerdict::kHole
                                               : WalVerdict::kTornTail;
        EXPECT_EQ(JudgeInvalidPlace({unreadable, later, synced}), expected);
      }
    }
  }
}

}  // namespace
}  // namespace millrace
