// Goal: what a caller sees of the log while nothing goes wrong: appends, durability, reading by position, rolling,
// recycling, policies, closing and reopening. Method: a log with tiny files and a tiny staging ring on the simulated
// disk, so that every border is met after a few frames; the same on disks without direct I/O, reservation or mapping.
// Proves W21, B8, B19, B70, B73.
#include "wal/disk_wal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/crc32c.h"
#include "wal/disk_wal_fixture.h"
#include "wal/file_header.h"
#include "wal/wal_file.h"
#include "wal/wal_testing.h"

namespace millrace {
namespace {

class DiskWalTest : public OnDisksOfAllKinds {};

INSTANTIATE_TEST_SUITE_P(Disks, DiskWalTest, testing::ValuesIn(kDisksOfAllKinds));

TEST_P(DiskWalTest, DurableAppendsAreReadAndRecovered) {
  std::vector<std::string> written;
  {
    auto wal = OpenWal(disk_, clock_);
    for (std::uint64_t n = 0; n < 200; ++n) {
      written.push_back(Payload(n, n * 37 % 3000));
      const auto extent = AppendDurably(*wal.wal, written.back());
      ASSERT_TRUE(extent) << extent.error().ToString();
      EXPECT_GE(wal->durable_end(), extent->end);
    }
    EXPECT_EQ(ReadAll(*wal.wal), written);
    ASSERT_TRUE(wal->Close());
  }
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(wal.replay->payloads(), written);
  EXPECT_EQ(ReadAll(*wal.wal), written);
  EXPECT_TRUE(wal->recovery().damage.empty());
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, StagedFramesSurviveTheProcess) {
  std::vector<std::string> written;
  auto options = SmallWal();
  options.sync = SyncPolicy::None();
  {
    auto wal = OpenWal(disk_, clock_, options);
    for (std::uint64_t n = 0; n < 300; ++n) {
      written.push_back(Payload(n, n * 53 % 2000));
      ASSERT_TRUE(Append(*wal.wal, written.back()));
    }
    EXPECT_EQ(ReadAll(*wal.wal), written);
    disk_.KillProcess();
  }
  auto wal = OpenWal(disk_, clock_, options);
  EXPECT_EQ(wal.replay->payloads(), written);
  EXPECT_EQ(ReadAll(*wal.wal), written);
  disk_.Crash();  // what recovery found is durable
  wal = OpenWal(disk_, clock_, options);
  EXPECT_EQ(wal.replay->payloads(), written);
}

TEST_P(DiskWalTest, WhatAShortenedRingHidFromRecoveryNeverComesBack) {
  auto options = SmallWal();
  options.sync = SyncPolicy::None();
  {
    auto wal = OpenWal(disk_, clock_, options);
    for (std::uint64_t n = 0; n < 11; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 1'000)));
    for (std::uint64_t n = 0; n < 4; ++n) ASSERT_TRUE(Append(*wal.wal, Payload(100 + n, 1'000)));
    disk_.KillProcess();
  }
  // Power loss may take the end of a file whose size was not synced.
  const auto staging = disk_.Open(std::filesystem::path(kWalDirectory) / "staging", {.access = FileAccess::kReadWrite});
  ASSERT_TRUE(staging && (*staging)->Truncate(20 << 10));
  std::vector<std::string> found;
  {
    auto wal = OpenWal(disk_, clock_, options);
    found = wal.replay->payloads();
    EXPECT_GE(found.size(), 11U);
    found.push_back(Payload(200, 1'000));
    ASSERT_TRUE(AppendDurably(*wal.wal, found.back()));
    disk_.KillProcess();
  }
  EXPECT_EQ(OpenWal(disk_, clock_, options).replay->payloads(), found);
}

TEST_P(DiskWalTest, FramesLargerThanTheRingGoTheirOwnWay) {
  std::vector<std::string> written;
  {
    auto wal = OpenWal(disk_, clock_);
    for (const std::size_t size : {100U, 128U << 10, 5U, 60U << 10, 17U << 10, 128U << 10, 1U}) {
      written.push_back(Payload(written.size(), size));
      ASSERT_TRUE(Append(*wal.wal, written.back()));
    }
    EXPECT_EQ(ReadAll(*wal.wal), written);
    disk_.KillProcess();
  }
  auto wal = OpenWal(disk_, clock_);
  EXPECT_EQ(wal.replay->payloads(), written);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, ReopeningGoesOnWhereItEnded) {
  std::vector<std::string> written;
  for (std::uint64_t round = 0; round < 20; ++round) {
    auto wal = OpenWal(disk_, clock_);
    EXPECT_EQ(wal.replay->payloads(), written);
    for (std::uint64_t n = 0; n < 3; ++n) {
      written.push_back(Payload(round * 3 + n, 1000));
      ASSERT_TRUE(AppendDurably(*wal.wal, written.back()));
    }
    if (round % 3 == 0) {
      ASSERT_TRUE(wal->Close());
    } else if (round % 3 == 1) {
      disk_.KillProcess();
    } else {
      disk_.Crash();
    }
  }
}

TEST_P(DiskWalTest, LimitsAreCheckedFirst) {
  auto wal = OpenWal(disk_, clock_);
  const std::string largest = Payload(1, 128 << 10), larger = Payload(2, (128 << 10) + 1);
  ASSERT_TRUE(AppendDurably(*wal.wal, "a"));
  const auto refused = Append(*wal.wal, larger);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(AppendDurably(*wal.wal, largest));
  EXPECT_EQ(ReadAll(*wal.wal), (std::vector<std::string>{"a", largest}));
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, FramesOfExactlyTheRestOfAFileAndOneMoreKeepTheOrder) {
  for (const int difference : {-8, -1, 0, 1, 8}) {
    SimFileSystem disk(1, GetParam());
    auto options = SmallWal();
    options.staging_bytes = 256 << 10;
    auto wal = OpenWal(disk, clock_, options);
    const std::uint64_t capacity = (64 << 10) - 2 * 4096;  // a header, and a block for a mark
    std::vector<std::string> written = {Payload(0, 20 << 10)};
    const auto first = Append(*wal.wal, written[0]);
    ASSERT_TRUE(first);
    const auto rest = static_cast<int>(capacity - static_cast<std::uint64_t>(first->end.value()) - 56);
    written.push_back(Payload(1, static_cast<std::size_t>(rest + difference)));
    written.push_back(Payload(2, 10));
    for (std::size_t i = 1; i < written.size(); ++i) ASSERT_TRUE(AppendDurably(*wal.wal, written[i]));
    EXPECT_EQ(ReadAll(*wal.wal), written);
    disk.Crash();
    wal = OpenWal(disk, clock_, options);
    EXPECT_EQ(wal.replay->payloads(), written);
  }
}

TEST_P(DiskWalTest, AKnownCrcGivesTheFrameThatReadingItGives) {
  const std::string head = Payload(0, 21);
  std::vector<std::string> written;
  {
    auto wal = OpenWal(disk_, clock_);
    for (const std::size_t bytes : {1, 4000, 16 << 10, (16 << 10) + 3, 100'000}) {
      const std::string body = Payload(bytes, bytes);
      const auto try_append = [&] {
        return wal->TryAppendWithCrc(WalStream(1), AsBytes(head), AsBytes(body), Crc32c(AsBytes(body)));
      };
      auto extent = try_append();
      while (!extent && wal->AwaitRoom(head.size() + body.size(), {})) extent = try_append();
      ASSERT_TRUE(extent);
      ASSERT_TRUE(wal->AwaitDurable(extent->end));
      written.push_back(head + body);
    }
    EXPECT_EQ(ReadAll(*wal.wal), written);  // verified by the CRC in each frame
    disk_.Crash();
  }
  EXPECT_EQ(OpenWal(disk_, clock_).replay->payloads(), written);
}

TEST_P(DiskWalTest, StreamsAreReadApart) {
  auto wal = OpenWal(disk_, clock_);
  std::map<std::uint64_t, std::vector<std::string>> written;
  for (std::uint64_t n = 0; n < 300; ++n) {
    const std::uint64_t stream = n * n % 5;
    written[stream].push_back(Payload(n, 400));
    ASSERT_TRUE(Append(*wal.wal, written[stream].back(), WalStream(stream)));
    if (n % 7 == 0) ASSERT_TRUE(wal->CommitOnce());
  }
  for (const auto& [stream, payloads] : written) EXPECT_EQ(ReadAll(*wal.wal, WalStream(stream)), payloads);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, SeveralStreamsAreReadTogetherAndEachByteOfARangeOnce) {
  auto options = SmallWal();
  options.wal_bytes_max = 8 << 20;
  options.file_bytes = 512 << 10;
  auto wal = OpenWal(disk_, clock_, options);
  const std::unordered_set<WalStream> wanted{WalStream(1), WalStream(4)};
  std::vector<std::pair<std::uint64_t, std::string>> written;
  for (std::uint64_t n = 0; n < 1'000; ++n) {
    const std::uint64_t stream = n % 5;
    const std::string payload = Payload(n, n == 501 ? 120'000 : n * 37 % 3'000);
    ASSERT_TRUE(Append(*wal.wal, payload, WalStream(stream)));
    if (wanted.contains(WalStream(stream))) written.emplace_back(stream, payload);
  }
  ASSERT_TRUE(wal->AwaitDurable(wal->end()));
  for (const std::uint64_t bytes_max : {std::uint64_t{UINT64_MAX}, std::uint64_t{150'000}}) {  // large and small pieces
    const std::uint64_t before = wal->Stats().read_bytes;
    std::vector<std::pair<std::uint64_t, std::string>> found;
    std::size_t reads = 0;
    for (WalPosition at = wal->begin(); at < wal->end(); ++reads) {
      const auto frames = wal->Read(WalStreams(wanted), {at, wal->end()}, bytes_max);
      ASSERT_TRUE(frames) << frames.error().ToString();
      for (const auto& frame : frames->frames) found.emplace_back(frame.stream.value(), AsText(frame.payload));
      at = frames->next;
    }
    EXPECT_EQ(found, written);
    const auto range = static_cast<std::uint64_t>(wal->end() - wal->begin());
    const std::uint64_t pieces_begun_in_vain =
        bytes_max == UINT64_MAX ? 0 : reads * (bytes_max + bytes_max / 8 + 4'096);
    EXPECT_LE(wal->Stats().read_bytes - before, range + pieces_begun_in_vain);
    EXPECT_GE(wal->Stats().read_bytes - before, range / 2);
  }
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, AReadStopsAtItsBudgetAfterAtLeastOneFrame) {
  auto wal = OpenWal(disk_, clock_);
  for (std::uint64_t n = 0; n < 10; ++n) ASSERT_TRUE(AppendDurably(*wal.wal, Payload(n, 1000)));
  const auto one = wal->Read(WalStream(1), {wal->begin(), wal->end()}, 1);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->frames.size(), 1U);
  const auto three = wal->Read(WalStream(1), {one->next, wal->end()}, 2001);
  ASSERT_TRUE(three);
  EXPECT_EQ(three->frames.size(), 3U);
  EXPECT_EQ(AsText(three->frames[0].payload), Payload(1, 1000));
  const auto part = wal->Read(WalStream(1), {one->frames[0].extent.begin, one->frames[0].extent.begin + 1}, 1 << 20);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->frames.size(), 1U);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, OneSyncServesAWholeGroup) {
  auto wal = OpenWal(disk_, clock_);
  ASSERT_TRUE(AppendDurably(*wal.wal, "first"));
  const auto before = wal->Stats().syncs;
  WalPosition end;
  for (std::uint64_t n = 0; n < 10; ++n) end = Append(*wal.wal, Payload(n, 100))->end;
  ASSERT_TRUE(wal->AwaitDurable(end));
  EXPECT_EQ(wal->Stats().syncs, before + 1);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, CompletionsRunOnceInOrder) {
  auto wal = OpenWal(disk_, clock_);
  std::vector<int> order;
  std::vector<WalExtent> extents;
  for (std::uint64_t n = 0; n < 4; ++n) extents.push_back(*Append(*wal.wal, Payload(n, 100)));
  for (const int n : {2, 0, 3, 1}) {
    wal->OnDurable(extents[static_cast<std::size_t>(n)].end, [&order, n](const Result<void>& result) {
      EXPECT_TRUE(result);
      order.push_back(n);
    });
  }
  EXPECT_TRUE(order.empty());
  EXPECT_TRUE(*wal->CommitOnce());
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
  bool at_once = false;
  wal->OnDurable(extents[0].end, [&](const Result<void>&) { at_once = true; });
  EXPECT_TRUE(at_once);
  EXPECT_FALSE(*wal->CommitOnce());
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, TheListenerKnowsBeforeTheCaller) {
  auto wal = OpenWal(disk_, clock_);
  WalPosition told;
  wal->SetDurableListener([&](WalPosition end) {
    EXPECT_GT(end, told);
    told = end;
  });
  for (std::uint64_t n = 0; n < 5; ++n) {
    const auto extent = AppendDurably(*wal.wal, Payload(n, 100));
    ASSERT_TRUE(extent);
    EXPECT_GE(told, extent->end);
  }
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, UnderNoneNothingIsSyncedUntilSomebodyAsks) {
  auto options = SmallWal();
  options.sync = SyncPolicy::None();
  auto wal = OpenWal(disk_, clock_, options);
  WalPosition end;
  const auto before = wal->Stats().syncs;
  for (std::uint64_t n = 0; n < 10; ++n) {
    end = Append(*wal.wal, Payload(n, 1000))->end;
    ASSERT_TRUE(wal->CommitOnce());
  }
  EXPECT_EQ(wal->Stats().syncs, before);
  EXPECT_LT(wal->durable_end(), end);
  ASSERT_TRUE(wal->AwaitDurable(end));
  EXPECT_GE(wal->durable_end(), end);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, UnderIntervalTheClockSyncs) {
  auto options = SmallWal();
  options.sync = SyncPolicy::Interval(std::chrono::milliseconds(100));
  auto wal = OpenWal(disk_, clock_, options);
  ASSERT_TRUE(AppendDurably(*wal.wal, "settles the clock"));
  const auto end = Append(*wal.wal, "x")->end;
  for (int ms = 0; ms < 99; ++ms) {
    while (*wal->SyncDueOnce()) {
    }
    EXPECT_LT(wal->durable_end(), end);
    clock_.Advance(std::chrono::milliseconds(1));
  }
  clock_.Advance(std::chrono::milliseconds(1));
  ASSERT_TRUE(wal->NextDue());
  EXPECT_LE(*wal->NextDue(), clock_.Monotonic());
  while (*wal->SyncDueOnce()) {
  }
  EXPECT_GE(wal->durable_end(), end);
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, TenQuietMillisecondsBringAMarkAndThenSilence) {
  auto wal = OpenWal(disk_, clock_);
  EXPECT_FALSE(wal->NextDue());
  const auto extent = AppendDurably(*wal.wal, "x");
  ASSERT_TRUE(wal->NextDue());
  EXPECT_FALSE(*wal->SyncDueOnce());
  clock_.Advance(std::chrono::milliseconds(9));
  EXPECT_FALSE(*wal->SyncDueOnce());
  clock_.Advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(*wal->SyncDueOnce());
  EXPECT_GT(wal->end(), extent->end);
  EXPECT_FALSE(*wal->SyncDueOnce());
  EXPECT_FALSE(wal->NextDue());
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, AWakeBeforeTheSleepEndsTheSleep) {
  auto wal = OpenWal(disk_, clock_);
  wal->Wake();
  wal->AwaitWork({});  // would sleep for ever, there being no work
  ASSERT_TRUE(wal->Close());
}

TEST_P(DiskWalTest, AfterCloseEverythingAnswersClosed) {
  auto wal = OpenWal(disk_, clock_);
  int failed = 0;
  const auto extent = Append(*wal.wal, "x");
  wal->OnDurable(extent->end, [&](const Result<void>& result) { failed += result ? 0 : 1; });
  ASSERT_TRUE(wal->Close());
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(Append(*wal.wal, "y").error().code(), ErrorCode::kClosed);
  EXPECT_EQ(wal->Close().error().code(), ErrorCode::kClosed);
  EXPECT_EQ(wal->AwaitRoom(1, {}).error().code(), ErrorCode::kClosed);
}

TEST_P(DiskWalTest, IoPathSaysWhatIsInUse) {
  auto wal = OpenWal(disk_, clock_);
  const std::string path = wal->Stats().io_path;
  EXPECT_EQ(path.find("direct") != std::string::npos, GetParam().direct);
  EXPECT_EQ(path.find("staging ring") != std::string::npos, GetParam().map);
  ASSERT_TRUE(wal->Close());
}

}  // namespace
}  // namespace millrace
