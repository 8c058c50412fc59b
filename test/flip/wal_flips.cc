#include "wal_flips.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "wal/disk_wal.h"

namespace millrace {
namespace {

struct Frame {
  WalStream stream;
  WalExtent extent;
  std::vector<std::byte> payload;
};
using Frames = std::map<WalPosition, Frame>;

class Recording final : public WalReplay {
 public:
  Result<void> OnFrame(WalStream stream, WalExtent extent, std::span<const std::byte> payload) override {
    frames[extent.begin] = {stream, extent, {payload.begin(), payload.end()}};
    return {};
  }
  Result<void> OnDamage(const WalDamage& found) override {
    damage.push_back(found);
    return {};
  }
  Frames frames;
  std::vector<WalDamage> damage;
};

/// A disk with frames on it, all of them acknowledged at kDisk.
struct Sample {
  std::string name;
  std::shared_ptr<const SimFileSystem::Image> image;
  Frames frames;
  WalPosition last_group;  // where the last group begins
  bool marked = false;     // a mark proves that the last group was synced
};

WalOptions Options() {
  return {.directory = "/wal",
          .sync = SyncPolicy::Each(),
          .wal_bytes_max = 16 << 20,
          .frame_bytes_max = 64 << 10,
          .staging_bytes = 16 << 10,
          .file_bytes = 16 << 10};
}

std::unique_ptr<DiskWal> OpenWal(SimFileSystem& files, Clock& clock, WalReplay& replay) {
  auto opened = DiskWal::Open(Options(), files, clock, replay);
  MR_CHECK(opened, opened.error().message());
  return std::move(*opened);
}

/// Appends one group of frames and syncs it.
void AppendGroup(DiskWal& wal, std::mt19937& random, Sample& sample) {
  sample.last_group = wal.end();
  WalPosition end;
  for (int i = 0; i < 3; ++i) {
    Frame frame{.stream = WalStream(random() % 3)};
    frame.payload.resize(random() % 10 == 0 ? 3000 + random() % 3000 : 1 + random() % 400);
    for (std::byte& byte : frame.payload) byte = static_cast<std::byte>(random());
    const std::span<const std::byte> piece(frame.payload);
    const auto appended = wal.TryAppend(frame.stream, std::span(&piece, 1));
    if (!appended) {
      MR_CHECK(appended.error().code() == ErrorCode::kUnavailable, appended.error().message());
      MR_CHECK(wal.AwaitRoom(frame.payload.size(), std::chrono::hours(1)));
      continue;
    }
    frame.extent = *appended;
    end = appended->end;
    sample.frames[frame.extent.begin] = std::move(frame);
  }
  MR_CHECK(wal.AwaitDurable(end));
}

/// Three files in use, the newest with a group that no later one follows.
void Fill(DiskWal& wal, Sample& sample) {
  std::mt19937 random(11);
  while (wal.Stats().files < 3) AppendGroup(wal, random, sample);
  AppendGroup(wal, random, sample);
}

enum class Ending { kClose, kPowerLoss };

Sample MakeSample(Ending ending) {
  SimFileSystem files;
  SimClock clock;
  Recording nothing;
  Sample sample;
  auto wal = OpenWal(files, clock, nothing);
  Fill(*wal, sample);
  sample.name = "the WAL after a power loss";
  sample.image = files.Snapshot();  // brought back without anything that was not synced
  MR_CHECK(wal->Close());
  if (ending == Ending::kPowerLoss) return sample;
  sample.name = "the WAL after a clean close";
  sample.marked = true;
  wal.reset();
  sample.image = files.Snapshot();
  return sample;
}

bool Covered(const Frame& frame, const std::vector<WalDamage>& damage) {
  return std::ranges::any_of(damage, [&](const WalDamage& found) {
    return found.extent.begin <= frame.extent.begin && frame.extent.end <= found.extent.end;
  });
}

/// What was replayed against what was acknowledged.
FlipOutcome Judge(const Sample& sample, const Recording& replayed) {
  for (const auto& [position, frame] : replayed.frames) {
    const auto stored = sample.frames.find(position);
    if (stored == sample.frames.end() || stored->second.stream != frame.stream ||
        stored->second.extent != frame.extent || stored->second.payload != frame.payload)
      return FlipOutcome::kWrong;
  }
  FlipOutcome outcome = FlipOutcome::kRight;
  for (const auto& [position, frame] : sample.frames) {
    if (replayed.frames.contains(position)) continue;
    if (Covered(frame, replayed.damage)) {
      outcome = FlipOutcome::kTyped;
    } else if (!sample.marked && position >= sample.last_group) {
      return FlipOutcome::kLostInTail;
    } else {
      return FlipOutcome::kWrong;
    }
  }
  return outcome;
}

FlipOutcome OpenFlipped(const Sample& sample, const std::filesystem::path& path, std::uint64_t byte, unsigned bit) {
  const auto files = SimFileSystem::AfterPowerLoss(*sample.image, 0);
  files->FlipBit(path, byte, bit);
  SimClock clock;
  Recording replayed;
  auto opened = DiskWal::Open(Options(), *files, clock, replayed);
  if (!opened) return opened.error().code() == ErrorCode::kCorruption ? FlipOutcome::kTyped : FlipOutcome::kWrong;
  static_cast<void>((*opened)->Close());
  return Judge(sample, replayed);
}

/// Every frame read one by one: right, or kCorruption.
FlipOutcome ReadEach(DiskWal& wal, const Sample& sample) {
  FlipOutcome outcome = FlipOutcome::kRight;
  for (const auto& [position, frame] : sample.frames) {
    const auto read = wal.Read(frame.stream, frame.extent, UINT64_MAX);
    if (!read) {
      if (read.error().code() != ErrorCode::kCorruption || read.error().damage() == nullptr) return FlipOutcome::kWrong;
      outcome = FlipOutcome::kTyped;
      continue;
    }
    if (read->frames.size() != 1 || !std::ranges::equal(read->frames[0].payload.bytes(), frame.payload))
      return FlipOutcome::kWrong;
  }
  return outcome;
}

}  // namespace

void FlipWalBeforeOpen(FlipReport& report) {
  for (const Ending ending : {Ending::kClose, Ending::kPowerLoss}) {
    const Sample sample = MakeSample(ending);
    const auto disk = SimFileSystem::AfterPowerLoss(*sample.image, 0);
    for (const auto& path : disk->Files()) {
      const std::uint64_t size = disk->Contents(path).size();
      for (std::uint64_t byte = 0; byte < size; ++byte) {
        const auto bit = static_cast<unsigned>((byte * 5 + 3) % 8);
        report.Count(OpenFlipped(sample, path, byte, bit), (sample.name + ", " + path.string()).c_str(), byte, bit);
      }
    }
  }
}

void FlipWalWhileOpen(FlipReport& report) {
  const Sample sample = MakeSample(Ending::kClose);
  const auto files = SimFileSystem::AfterPowerLoss(*sample.image, 0);
  SimClock clock;
  Recording replayed;
  const auto wal = OpenWal(*files, clock, replayed);
  MR_CHECK(ReadEach(*wal, sample) == FlipOutcome::kRight);
  for (const auto& path : files->Files()) {
    const std::uint64_t size = files->Contents(path).size();
    for (std::uint64_t byte = 0; byte < size; ++byte) {
      const auto bit = static_cast<unsigned>((byte * 3 + 1) % 8);
      files->FlipBit(path, byte, bit);
      report.Count(ReadEach(*wal, sample), ("the open WAL, " + path.string()).c_str(), byte, bit);
      files->FlipBit(path, byte, bit);
    }
  }
  MR_CHECK(wal->Close());
}

}  // namespace millrace
