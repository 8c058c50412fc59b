// Goal: a WAL file is shown without an engine, and damage is told apart from an end that was never synced. Method:
// files made by hand from headers and frames; one byte flipped in each kind of place.
#include "inspect/wal_scan.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "base/crc32c.h"
#include "inspect/wal_directory.h"

namespace millrace {
namespace {

/// A file of generation 3 whose line begins at 8,192.
class FileMaker {
 public:
  FileMaker() {
    header_.state = WalFileState::kLive;
    header_.generation = 3;
    header_.base = WalPosition(8192);
    header_.predecessor_end = header_.base;
    header_.capacity = 16 << 10;
    bytes_.resize(kWalFileHeaderBytes + header_.capacity);
    EncodeWalFileHeader(header_, std::span<std::byte, kWalFileHeaderBytes>(bytes_.data(), kWalFileHeaderBytes));
  }
  /// Returns where it stands in the file.
  std::size_t Frame(std::string_view payload, WalPosition synced_to) {
    WalFrameHeader frame{.kind = payload.empty() ? WalFrameKind::kMark : WalFrameKind::kPayload,
                         .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                         .payload_crc = Crc32c(AsBytes(payload)),
                         .generation = 3,
                         .position = next_,
                         .previous = previous_,
                         .synced_to = synced_to,
                         .stream = WalStream(1)};
    std::size_t at = kWalFileHeaderBytes + static_cast<std::size_t>(next_ - header_.base);
    EncodeWalFrameHeader(frame, std::span<std::byte, kWalFrameHeaderBytes>(bytes_.data() + at, kWalFrameHeaderBytes));
    std::memcpy(bytes_.data() + at + kWalFrameHeaderBytes, payload.data(), payload.size());
    previous_ = next_;
    next_ = WalFrameEnd(frame);
    return at;
  }
  void Pad() { next_ = BlockUp(next_); }
  void Flip(std::size_t at) { bytes_[at] ^= std::byte{1}; }
  [[nodiscard]] WalPosition next() const { return next_; }
  [[nodiscard]] WalScan Scan() const { return ScanWalFile(bytes_); }

 private:
  WalFileHeader header_;
  std::vector<std::byte> bytes_;
  WalPosition next_{8192}, previous_{-1};
};

std::vector<ScannedGap> OwnDamage(const WalScan& scan) { return DamageOf(scan, nullptr, scan.synced_to); }

TEST(WalScanTest, FramesInOrderAndPaddingBetweenGroupsIsNoGap) {
  FileMaker file;
  file.Frame("first", WalPosition(0));
  file.Frame("second", WalPosition(0));
  file.Pad();
  file.Frame("third", file.next());
  WalScan scan = file.Scan();
  ASSERT_TRUE(scan.header);
  EXPECT_EQ(scan.frames.size(), 3u);
  EXPECT_TRUE(scan.gaps.empty());
  EXPECT_TRUE(OwnDamage(scan).empty());
}

TEST(WalScanTest, FlippedByteOfASyncedFrameIsDamageWithItsRange) {
  FileMaker file;
  file.Frame("first", WalPosition(0));
  std::size_t second = file.Frame("second", WalPosition(0));
  std::size_t mark = file.Frame("", file.next());
  file.Flip(second + kWalFrameHeaderBytes + 2);
  WalScan scan = file.Scan();
  auto damage = OwnDamage(scan);
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage.front().range.begin, second);
  EXPECT_EQ(damage.front().range.end, mark);
  EXPECT_NE(damage.front().reason.find("CRC"), std::string::npos) << damage.front().reason;
}

TEST(WalScanTest, TornEndThatNobodyKnowsAsSyncedIsNoDamage) {
  FileMaker file;
  file.Frame("first", WalPosition(0));
  std::size_t last = file.Frame("second", WalPosition(0));
  file.Flip(last + kWalFrameHeaderBytes);
  WalScan scan = file.Scan();
  EXPECT_EQ(scan.frames.size(), 1u);
  EXPECT_TRUE(OwnDamage(scan).empty());
}

TEST(WalScanTest, NextFileTellsThatTheLastFrameIsMissing) {
  FileMaker file;
  file.Frame("first", WalPosition(0));
  WalPosition last = file.next();
  std::size_t at = file.Frame("second", WalPosition(0));
  WalFileHeader successor{.predecessor_generation = 3, .predecessor_end = file.next(), .last_frame = last};
  EXPECT_TRUE(DamageOf(file.Scan(), &successor, WalPosition(0)).empty());
  file.Flip(at + 8);
  auto damage = DamageOf(file.Scan(), &successor, WalPosition(0));
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage.front().range.begin, at);
}

TEST(WalScanTest, OneBadCopyOfTheHeaderIsRepairedAndNamed) {
  FileMaker file;
  file.Frame("first", WalPosition(0));
  file.Flip(20);
  WalScan scan = file.Scan();
  ASSERT_TRUE(scan.header);
  ASSERT_EQ(scan.bad_header_copies.size(), 1u);
  EXPECT_EQ(scan.bad_header_copies.front().begin, 0u);
  file.Flip(2048 + 20);
  EXPECT_FALSE(file.Scan().header);
}

TEST(WalScanTest, MissingFileBetweenTwoIsDamage) {
  FileMaker file;
  file.Frame("first", WalPosition(0));
  WalFileView older{"00000001.wal", 0, file.Scan()}, newer{"00000003.wal", 0, file.Scan()};
  newer.scan.header->generation = 5;
  newer.scan.header->predecessor_generation = 4;
  auto damage = DamageIn({older, newer});
  ASSERT_EQ(damage.size(), 1u);
  EXPECT_EQ(damage.front().file, "00000003.wal");
  newer.scan.header->predecessor_generation = 3;
  newer.scan.header->last_frame = WalPosition(8192);
  EXPECT_TRUE(DamageIn({older, newer}).empty());
}

}  // namespace
}  // namespace millrace
