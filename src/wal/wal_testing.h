// What the tests of this room share: a log on a simulated disk, what it acknowledged, and what a reopening finds.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "millrace/bytes.h"
#include "wal/disk_wal.h"

namespace millrace {

/// Keeps everything recovery hands over.
class KeptReplay final : public WalReplay {
 public:
  struct Frame {
    WalStream stream;
    WalExtent extent;
    std::string payload;
    friend bool operator==(const Frame&, const Frame&) = default;
  };
  Result<void> OnFrame(WalStream stream, WalExtent extent, std::span<const std::byte> payload) override {
    frames.push_back({stream, extent, std::string(AsText(payload))});
    return {};
  }
  Result<void> OnDamage(const WalDamage& found) override {
    damage.push_back(found);
    return {};
  }
  [[nodiscard]] std::vector<std::string> payloads() const {
    std::vector<std::string> all;
    for (const Frame& frame : frames) all.push_back(frame.payload);
    return all;
  }
  std::vector<Frame> frames;
  std::vector<WalDamage> damage;
};

inline constexpr std::string_view kWalDirectory = "/d/wal";

inline WalOptions SmallWal() {
  return {.directory = kWalDirectory,
          .sync = SyncPolicy::Each(),
          .wal_bytes_max = 2 << 20,
          .frame_bytes_max = 128 << 10,
          .staging_bytes = 32 << 10,
          .file_bytes = 64 << 10};
}

/// An open log with its replay. Dropping it without Close is process death.
struct OpenedWal {
  std::unique_ptr<KeptReplay> replay = std::make_unique<KeptReplay>();
  std::unique_ptr<DiskWal> wal;
  DiskWal* operator->() const { return wal.get(); }
};

inline Result<OpenedWal> TryOpenWal(FileSystem& file_system, Clock& clock, const WalOptions& options = SmallWal()) {
  OpenedWal opened;
  auto wal = DiskWal::Open(options, file_system, clock, *opened.replay);
  if (!wal) return wal.error();
  opened.wal = *std::move(wal);
  return opened;
}

inline OpenedWal OpenWal(FileSystem& file_system, Clock& clock, const WalOptions& options = SmallWal()) {
  auto opened = TryOpenWal(file_system, clock, options);
  EXPECT_TRUE(opened) << opened.error().ToString();
  return opened ? std::move(*opened) : OpenedWal();
}

/// A payload that names itself: "n:" and a pattern of `size` bytes.
inline std::string Payload(std::uint64_t n, std::size_t size) {
  std::string payload = std::to_string(n) + ':';
  while (payload.size() < size) payload += static_cast<char>('a' + (payload.size() * 7 + n * 13) % 26);
  return payload;
}

/// Append with waiting for room; no sync.
inline Result<WalExtent> Append(DiskWal& wal, std::string_view payload, WalStream stream = WalStream(1)) {
  for (int i = 0; i < 100; ++i) {
    const std::array pieces = {AsBytes(payload)};
    auto extent = wal.TryAppend(stream, pieces);
    if (extent || extent.error().code() != ErrorCode::kUnavailable || !extent.error().retryable()) return extent;
    if (auto room = wal.AwaitRoom(payload.size(), {}); !room) return room.error();
  }
  return Error(ErrorCode::kInternal, "no room after 100 rounds");
}

/// Append and sync.
inline Result<WalExtent> AppendDurably(DiskWal& wal, std::string_view payload, WalStream stream = WalStream(1)) {
  auto extent = Append(wal, payload, stream);
  if (!extent) return extent;
  if (auto durable = wal.AwaitDurable(extent->end); !durable) return durable.error();
  return extent;
}

}  // namespace millrace
