// Goal: after a clean close the log opens without reading its frames, to the same state; and whatever changed since,
// whatever was damaged, the frames are read as ever. Method: the codec by every cut and every flipped byte; a log on
// the simulated disk, closed with a note, then changed behind its back in each way there is, and crashed around the
// next opening. Proves B20, R18 for this room; S24.
#include "wal/clean_close.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "wal/file_header.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

const std::filesystem::path kClosed = std::filesystem::path(kWalDirectory) / kCleanCloseFileName;
const std::filesystem::path kFirstFile = std::filesystem::path(kWalDirectory) / "00000001.wal";

std::vector<std::byte> BytesOf(std::string_view text) {
  const auto bytes = AsBytes(text);
  return {bytes.begin(), bytes.end()};
}

WalCleanClose Example() {
  return {.end = WalPosition(8192),
          .last_frame = WalPosition(4096),
          .note_end = WalPosition(4200),
          .files = {{3, WalPosition(0), WalPosition(100)}, {5, WalPosition(4096), WalPosition(4200)}},
          .note = BytesOf("a note")};
}

TEST(WalCleanCloseCodecTest, RoundTripIsExact) {
  for (const auto& note : {std::string(), std::string("x"), std::string(5000, 'n')}) {
    WalCleanClose close = Example();
    close.note = BytesOf(note);
    const auto decoded = DecodeWalCleanClose(EncodeWalCleanClose(close));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->end, close.end);
    EXPECT_EQ(decoded->last_frame, close.last_frame);
    EXPECT_EQ(decoded->note_end, close.note_end);
    EXPECT_EQ(decoded->files, close.files);
    EXPECT_EQ(decoded->note, close.note);
  }
}

TEST(WalCleanCloseCodecTest, CutOrFlippedAnywhereItIsNotBelieved) {
  const auto bytes = EncodeWalCleanClose(Example());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(DecodeWalCleanClose(std::span(bytes).first(length))) << length;
  }
  for (std::size_t at = 0; at < bytes.size() * 8; ++at) {
    auto flipped = bytes;
    flipped[at / 8] ^= static_cast<std::byte>(1 << at % 8);
    EXPECT_FALSE(DecodeWalCleanClose(flipped)) << at;
  }
}

Result<void> CloseNoted(DiskWal& wal) {
  const WalPosition taken_at = wal.StopStaging();
  return wal.CloseWithNote(AsBytes("n"), taken_at);
}

/// Takes the note, or refuses it.
class NoteReplay final : public WalReplay {
 public:
  explicit NoteReplay(bool takes) : takes_(takes) {}
  Result<void> OnFrame(WalStream, WalExtent, std::span<const std::byte> payload) override {
    payloads.emplace_back(AsText(payload));
    return {};
  }
  Result<void> OnDamage(const WalDamage&) override {
    ++damage;
    return {};
  }
  bool OnCleanClose(std::span<const std::byte> note) override {
    notes.emplace_back(AsText(note));
    return takes_;
  }

  std::vector<std::string> payloads, notes;
  int damage = 0;

 private:
  const bool takes_;
};

class WalCleanCloseTest : public testing::Test {
 protected:
  std::unique_ptr<DiskWal> Open(bool takes = true) {
    replay_ = std::make_unique<NoteReplay>(takes);
    auto wal = DiskWal::Open(SmallWal(), disk_, clock_, *replay_);
    EXPECT_TRUE(wal) << wal.error().ToString();
    return wal ? *std::move(wal) : nullptr;
  }
  void AppendSome(DiskWal& wal, int count, std::size_t bytes = 3000) {
    for (int i = 0; i < count; ++i) {
      written_.push_back(Payload(written_.size(), bytes));
      ASSERT_TRUE(AppendDurably(wal, written_.back()));
    }
  }
  /// Several files, closed with the note "n".
  void WriteAndClose(int count = 60) {
    auto wal = Open();
    AppendSome(*wal, count);
    end_ = wal->end();
    ASSERT_TRUE(CloseNoted(*wal));
  }
  [[nodiscard]] std::vector<std::string> ReadAll(DiskWal& wal) {
    std::vector<std::string> payloads;
    for (WalPosition at = wal.begin(); at < wal.end();) {
      const auto frames = wal.Read(WalStream(1), {at, wal.end()}, 1 << 20);
      EXPECT_TRUE(frames) << frames.error().ToString();
      if (!frames) break;
      for (const auto& frame : frames->frames) payloads.emplace_back(AsText(frame.payload.bytes()));
      at = frames->next;
    }
    return payloads;
  }
  [[nodiscard]] bool FileIsThere() const {
    const auto files = disk_.Files();
    return std::ranges::find(files, kClosed) != files.end();
  }
  void PutBack(const std::vector<std::byte>& bytes) {
    auto file = disk_.Open(kClosed, {.access = FileAccess::kReadWrite, .creation = FileCreation::kOpenOrCreate});
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->Truncate(0));
    ASSERT_TRUE((*file)->WriteAt(0, bytes));
    ASSERT_TRUE((*file)->Sync());
    ASSERT_TRUE(disk_.SyncDirectory(kWalDirectory));
  }
  /// The frames were read, all of them came, and nothing is lost.
  void ExpectScanned() {
    auto wal = Open();
    EXPECT_FALSE(wal->recovery().clean_close);
    EXPECT_EQ(replay_->payloads, written_);
    EXPECT_FALSE(FileIsThere());
    EXPECT_EQ(ReadAll(*wal), written_);
    ASSERT_TRUE(wal->Close());
  }

  SimFileSystem disk_;
  SimClock clock_;
  std::unique_ptr<NoteReplay> replay_;
  std::vector<std::string> written_;
  WalPosition end_;
};

TEST_F(WalCleanCloseTest, OneFrameAtTheVeryBeginningIsEnoughForANote) {
  WriteAndClose(1);
  const auto wal = Open();
  EXPECT_TRUE(wal->recovery().clean_close);
  EXPECT_EQ(ReadAll(*wal), written_);
}

TEST_F(WalCleanCloseTest, ALogThatNeverHeldAFrameLeavesANoteUntilItHolds) {
  ASSERT_TRUE(CloseNoted(*Open()));
  const auto old = disk_.Contents(kClosed);
  {
    auto wal = Open();
    EXPECT_TRUE(wal->recovery().clean_close);
    EXPECT_EQ(replay_->notes, std::vector<std::string>{"n"});
    EXPECT_EQ(wal->end(), WalPosition(0));
    AppendSome(*wal, 2);
    EXPECT_EQ(ReadAll(*wal), written_);
    disk_.KillProcess();
  }
  PutBack(old);
  ExpectScanned();
}

TEST_F(WalCleanCloseTest, ALogWhoseNewestFileHoldsNoFrameIsKnownByItsHeader) {
  WriteAndClose();
  auto wal = Open();
  ASSERT_TRUE(wal->Recycle(wal->end(), DiskWal::Seal::kSealActive));
  written_.clear();
  const WalPosition begin = wal->begin(), end = wal->end();
  EXPECT_EQ(begin, end);
  ASSERT_TRUE(CloseNoted(*wal));
  ASSERT_TRUE(FileIsThere());
  const auto old = disk_.Contents(kClosed);
  wal = Open();
  EXPECT_TRUE(wal->recovery().clean_close);
  EXPECT_EQ(wal->begin(), begin);
  EXPECT_EQ(wal->end(), end);
  AppendSome(*wal, 1);
  EXPECT_EQ(ReadAll(*wal), written_);
  disk_.KillProcess();
  PutBack(old);
  ExpectScanned();
}

TEST_F(WalCleanCloseTest, TheNextOpeningReadsNoFrames) {
  WriteAndClose();
  ASSERT_GT(disk_.Files().size(), 4U) << "the log should be in several files";
  for (int round = 0; round < 3; ++round) {
    auto wal = Open();
    EXPECT_TRUE(wal->recovery().clean_close);
    EXPECT_EQ(replay_->notes, std::vector<std::string>{"n"});
    EXPECT_TRUE(replay_->payloads.empty());
    EXPECT_EQ(wal->recovery().bytes_scanned, 0U);
    EXPECT_FALSE(FileIsThere());
    EXPECT_EQ(ReadAll(*wal), written_);
    AppendSome(*wal, round);  // none, then some
    EXPECT_EQ(ReadAll(*wal), written_);
    ASSERT_TRUE(CloseNoted(*wal));
  }
}

TEST_F(WalCleanCloseTest, ScannedOrNotItIsTheSameLog) {
  WriteAndClose();
  const auto image = disk_.Snapshot();
  auto other = SimFileSystem::AfterPowerLoss(*image, 0);
  NoteReplay refuses(false);
  auto scanned = DiskWal::Open(SmallWal(), *other, clock_, refuses);
  ASSERT_TRUE(scanned);
  auto wal = Open();
  EXPECT_TRUE(wal->recovery().clean_close);
  EXPECT_FALSE((*scanned)->recovery().clean_close);
  EXPECT_EQ(refuses.payloads, written_);
  EXPECT_EQ(wal->begin(), (*scanned)->begin());
  EXPECT_EQ(wal->end(), (*scanned)->end());
  EXPECT_EQ(wal->durable_end(), (*scanned)->durable_end());
  EXPECT_EQ(wal->space().used, (*scanned)->space().used);
  // Recycling knows where each file's last payload ends.
  for (DiskWal* one : {wal.get(), scanned->get()}) {
    ASSERT_TRUE(one->Recycle(one->end(), DiskWal::Seal::kSealActive));
  }
  EXPECT_EQ(wal->begin(), (*scanned)->begin());
  EXPECT_EQ(wal->space().used, (*scanned)->space().used);
  ASSERT_TRUE(wal->Close());
  ASSERT_TRUE((*scanned)->Close());
}

TEST_F(WalCleanCloseTest, WhoeverRefusesTheNoteGetsTheFrames) {
  WriteAndClose();
  auto wal = Open(false);
  EXPECT_EQ(replay_->notes.size(), 1U);
  EXPECT_EQ(replay_->payloads, written_);
  EXPECT_FALSE(FileIsThere());
  ASSERT_TRUE(wal->Close());
  EXPECT_FALSE(FileIsThere()) << "Close alone leaves none";
}

TEST_F(WalCleanCloseTest, AProcessThatDiesAfterAnOpeningLeavesNoneBehind) {
  WriteAndClose();
  {
    auto wal = Open();
    EXPECT_TRUE(wal->recovery().clean_close);
    AppendSome(*wal, 3);
    disk_.Crash();
  }
  ExpectScanned();
}

TEST_F(WalCleanCloseTest, AnOldOneIsNotBelieved) {
  WriteAndClose();
  const auto old = disk_.Contents(kClosed);
  {
    auto wal = Open();
    AppendSome(*wal, 1, 10);
    disk_.KillProcess();
  }
  PutBack(old);
  ExpectScanned();
  // Nor after a clean end of the longer log.
  PutBack(old);
  ExpectScanned();
}

TEST_F(WalCleanCloseTest, NothingIsStagedOnceTheEndWasTold) {
  auto wal = Open();
  AppendSome(*wal, 3);
  written_.push_back("staged only");
  const auto last = Append(*wal, written_.back());
  ASSERT_TRUE(last);
  EXPECT_EQ(wal->StopStaging(), last->end);
  const auto refused = Append(*wal, "too late");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kClosed);
  const auto no_room = wal->AwaitRoom(10, clock_.Monotonic());
  ASSERT_FALSE(no_room);
  EXPECT_EQ(no_room.error().code(), ErrorCode::kClosed);
  EXPECT_TRUE(wal->AwaitDurable(last->end)) << "what is staged can still be waited for";
  EXPECT_EQ(wal->StopStaging(), last->end);
  ASSERT_TRUE(CloseNoted(*wal));
  ASSERT_TRUE(FileIsThere());
  EXPECT_TRUE(Open()->recovery().clean_close);
}

TEST_F(WalCleanCloseTest, ANoteOfAnEarlierMomentIsNotKept) {
  auto wal = Open();
  AppendSome(*wal, 3);
  written_.push_back("noted");
  const auto noted = Append(*wal, written_.back());
  ASSERT_TRUE(noted);
  written_.push_back("behind the note");
  ASSERT_TRUE(AppendDurably(*wal, written_.back()));
  ASSERT_TRUE(wal->CloseWithNote(AsBytes("n"), noted->end));
  EXPECT_FALSE(FileIsThere());
  ExpectScanned();
}

TEST_F(WalCleanCloseTest, ANoteThatEndsBeforeTheLastFrameIsNotBelieved) {
  for (const bool mark_follows : {true, false}) {
    WriteAndClose(3);
    auto close = DecodeWalCleanClose(disk_.Contents(kClosed));
    ASSERT_TRUE(close);
    if (!mark_follows) {
      auto wal = Open();
      ASSERT_TRUE(wal->Close());
    }
    close->note_end = close->note_end - 8;
    PutBack(EncodeWalCleanClose(*close));
    ExpectScanned();
  }
}

TEST_F(WalCleanCloseTest, FramesThatWaitInTheRingAreNotPassedOver) {
  WriteAndClose();
  const auto old = disk_.Contents(kClosed);
  {
    auto wal = Open();
    written_.push_back("staged only");
    ASSERT_TRUE(Append(*wal, written_.back()));
    disk_.KillProcess();
  }
  PutBack(old);
  ExpectScanned();
}

TEST_F(WalCleanCloseTest, AFileThatIsGoneOrChangedIsNoticed) {
  WriteAndClose();
  disk_.FlipBit(kClosed, 20, 1);
  ExpectScanned();

  auto wal = Open();
  ASSERT_TRUE(CloseNoted(*wal));
  ASSERT_TRUE(FileIsThere());
  for (const std::uint64_t copy : {0, 2048}) disk_.FlipBit(kFirstFile, copy + 20, 1);  // both headers of one file
  wal = Open();
  EXPECT_FALSE(wal->recovery().clean_close);
  EXPECT_FALSE(replay_->payloads.empty());
  ASSERT_TRUE(CloseNoted(*wal));

  ASSERT_TRUE(disk_.Remove(kFirstFile));
  wal = Open();
  EXPECT_FALSE(wal->recovery().clean_close);
  ASSERT_TRUE(wal->Close());
}

TEST_F(WalCleanCloseTest, DamageOfAFrameIsFoundWhenItIsRead) {
  WriteAndClose();  // the ring has forgotten the first frames
  disk_.FlipBit(kFirstFile, kWalFileHeaderBytes + 200, 1);
  auto wal = Open();
  EXPECT_TRUE(wal->recovery().clean_close);
  const auto read = wal->Read(WalStream(1), {wal->begin(), wal->end()}, 1 << 20);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kCorruption);
  ASSERT_TRUE(wal->Close());
}

TEST_F(WalCleanCloseTest, DamageThatTheRingCanMendIsMended) {
  const auto bytes = static_cast<std::size_t>(SmallWal().staging_bytes);
  WriteAndClose(5);  // the ring still has all of them
  ASSERT_LT(end_.value(), static_cast<std::int64_t>(bytes));
  const auto image = disk_.Snapshot();
  for (std::uint64_t byte = 0; byte < static_cast<std::uint64_t>(end_.value()); byte += 97) {
    auto disk = SimFileSystem::AfterPowerLoss(*image, 1);  // with the ring, which is never synced
    disk->FlipBit(kFirstFile, kWalFileHeaderBytes + byte, 1);
    for (int opening = 0; opening < 2; ++opening) {
      NoteReplay replay(true);
      auto wal = DiskWal::Open(SmallWal(), *disk, clock_, replay);
      ASSERT_TRUE(wal) << wal.error().ToString();
      EXPECT_EQ(replay.damage, 0) << byte;
      EXPECT_EQ(ReadAll(**wal), written_) << byte;
      // Mended in the file, so that no opening needs the ring any more.
      if (opening == 1) EXPECT_TRUE((*wal)->recovery().clean_close) << byte;
      ASSERT_TRUE(CloseNoted(**wal));
    }
    disk->Overwrite(std::filesystem::path(kWalDirectory) / "staging", 0, std::vector<std::byte>(bytes));
    NoteReplay replay(false);
    auto wal = DiskWal::Open(SmallWal(), *disk, clock_, replay);
    ASSERT_TRUE(wal) << wal.error().ToString();
    EXPECT_EQ(replay.payloads, written_) << byte;
    EXPECT_EQ(replay.damage, 0) << byte;
    ASSERT_TRUE((*wal)->Close());
  }
}

TEST_F(WalCleanCloseTest, ALogWithDamageLeavesNone) {
  WriteAndClose();  // the ring has forgotten the first frames
  disk_.FlipBit(kFirstFile, kWalFileHeaderBytes + 200, 1);
  disk_.FlipBit(kClosed, 20, 1);
  auto wal = Open();
  EXPECT_EQ(replay_->damage, 1);
  ASSERT_TRUE(CloseNoted(*wal));
  EXPECT_FALSE(FileIsThere());
}

TEST_F(WalCleanCloseTest, PowerLossAroundTheCloseLosesNothing) {
  // Every operation of the close and of the next opening, and after each the disk as it may be then.
  std::vector<std::shared_ptr<const SimFileSystem::Image>> images;
  auto wal = Open();
  AppendSome(*wal, 20);
  disk_.SetObserver([&](SimOperation, const std::filesystem::path&) { images.push_back(disk_.Snapshot()); });
  ASSERT_TRUE(CloseNoted(*wal));
  wal = Open();
  ASSERT_TRUE(wal->recovery().clean_close);
  disk_.SetObserver(nullptr);
  ASSERT_TRUE(wal->Close());
  ASSERT_GT(images.size(), 5U);
  int clean = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      auto after = SimFileSystem::AfterPowerLoss(*images[i], seed);
      NoteReplay replay(true);
      auto opened = DiskWal::Open(SmallWal(), *after, clock_, replay);
      ASSERT_TRUE(opened) << opened.error().ToString();
      clean += (*opened)->recovery().clean_close ? 1 : 0;
      EXPECT_EQ(ReadAll(**opened), written_) << "operation " << i << ", seed " << seed;
      ASSERT_TRUE((*opened)->Close());
    }
  }
  EXPECT_GT(clean, 0);
}

TEST_F(WalCleanCloseTest, AFullDiskCannotKeepANoteAndThatIsNoError) {
  auto wal = Open();
  AppendSome(*wal, 5);
  disk_.SetFaultPlan(
      [](SimOperation operation, const std::filesystem::path& path, std::uint64_t) -> std::optional<SimFault> {
        if (operation == SimOperation::kWrite && path.native().find("closed") != std::string::npos) {
          return SimFault{.code = ErrorCode::kOutOfSpace};
        }
        return std::nullopt;
      });
  EXPECT_TRUE(CloseNoted(*wal));
  disk_.SetFaultPlan(nullptr);
  ExpectScanned();
}

}  // namespace
}  // namespace millrace
