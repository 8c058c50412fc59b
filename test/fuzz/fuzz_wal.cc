// Any bytes as the files of a WAL: recovery ends with a verdict, hands over only frames that really stand there, and
// leaves a log that takes appends; a second recovery finds the same frames and the new one. Memory stays in proportion
// to the files.
//
// The first byte of the input says how the rest is meant: as a raw file (its first 64 bytes are the header, the rest
// lies at 4,096), or as steps that write valid, stale, misplaced and broken frames in any mixture, so that recovery
// sees right checksums round wrong facts. Another bit puts the same frames into the staging file instead.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "allocation_meter.h"
#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "wal/disk_wal.h"
#include "wal/file_header.h"
#include "wal/frame.h"

namespace millrace {
namespace {

using Frames = std::map<WalPosition, std::vector<std::byte>>;

constexpr std::size_t kStagingBytes = 16 << 10;
constexpr std::size_t kFileBytes = 64 << 10;

class Recording final : public WalReplay {
 public:
  Result<void> OnFrame(WalStream, WalExtent extent, std::span<const std::byte> payload) override {
    MR_CHECK(extent.begin >= end, extent.begin.value(), end.value());  // in order, none twice
    end = extent.end;
    frames[extent.begin].assign(payload.begin(), payload.end());
    return {};
  }
  Result<void> OnDamage(const WalDamage& damage) override {
    MR_CHECK(damage.extent.begin <= damage.extent.end);
    return {};
  }
  Frames frames;
  WalPosition end{0};
};

/// Takes numbers off the input; zeros when it is used up.
class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : rest_(bytes) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t Byte() { return static_cast<std::uint8_t>(Take(1).empty() ? 0 : std::to_integer<int>(taken_[0])); }
  std::uint32_t Short() { return Byte() | Byte() << 8U; }
  std::span<const std::byte> Take(std::size_t count) {
    taken_ = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken_.size());
    return taken_;
  }

 private:
  std::span<const std::byte> rest_, taken_;
};

struct WrittenFile {
  WalFileHeader header;
  std::vector<std::byte> body;  // from file offset 4,096 on
  WalPosition last_frame;
};

enum Step : std::uint8_t {
  kFrame,
  kMark,
  kStaleFrame,
  kMisplacedFrame,
  kBrokenFrame,
  kGarbage,
  kZeros,
  kNextBlock,
  kSteps
};

/// A file whose frames follow the steps in `input`; the last frame before it begins at `previous`.
WrittenFile WriteFile(Input& input, std::uint64_t generation, WalPosition base, WalPosition previous) {
  WrittenFile file{
      .header = {.state = WalFileState::kLive, .generation = generation, .base = base, .predecessor_end = base}};
  file.last_frame = previous;
  for (int steps = input.Byte() % 24; steps > 0 && !input.empty(); --steps) {
    const auto step = static_cast<Step>(input.Byte() % kSteps);
    const std::size_t at = file.body.size();
    const std::uint32_t length = input.Short() % 1200;
    if (step == kZeros || step == kGarbage) {
      const auto garbage = input.Take(step == kGarbage ? length : 0);
      file.body.insert(file.body.end(), garbage.begin(), garbage.end());
      file.body.resize(AlignUp(at + length, kWalFrameAlignment));
      continue;
    }
    if (step == kNextBlock) {
      file.body.resize(AlignUp(at, kWalBlockBytes));
      continue;
    }
    const auto payload = step == kMark ? std::span<const std::byte>() : input.Take(length);
    WalFrameHeader header{.kind = step == kMark ? WalFrameKind::kMark : WalFrameKind::kPayload,
                          .payload_bytes = static_cast<std::uint32_t>(payload.size()),
                          .payload_crc = Crc32c(payload),
                          .generation = generation - (step == kStaleFrame ? 1 : 0),
                          .position = base + static_cast<std::int64_t>(at),
                          .previous = file.last_frame,
                          .synced_to = base + static_cast<std::int64_t>(input.Short() % (at + 1)),
                          .stream = WalStream(input.Byte() % 3)};
    if (step == kMisplacedFrame) header.position += 8;
    file.body.resize(at + WalFrameBytes(payload.size()));
    EncodeWalFrameHeader(header, std::span(file.body).subspan(at).first<kWalFrameHeaderBytes>());
    std::ranges::copy(payload, file.body.begin() + static_cast<std::ptrdiff_t>(at + kWalFrameHeaderBytes));
    if (step == kBrokenFrame)
      file.body[at + input.Byte() % std::min<std::size_t>(64, file.body.size() - at)] ^= std::byte{4};
    if (step != kFrame && step != kMark) continue;
    file.last_frame = header.position;
  }
  file.body.resize(AlignUp(std::max<std::size_t>(file.body.size(), 1), kWalBlockBytes));
  file.header.capacity = file.body.size();
  return file;
}

void Store(SimFileSystem& files, const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const auto file = files.Open(path, {.access = FileAccess::kReadWrite, .creation = FileCreation::kOpenOrCreate});
  MR_CHECK(file && (*file)->WriteAt(0, bytes) && (*file)->Sync());
}

void StoreRaw(SimFileSystem& files, std::span<const std::byte> input) {
  const auto header = input.first(std::min<std::size_t>(input.size(), 64));
  std::vector<std::byte> bytes(kWalFileHeaderBytes);
  std::ranges::copy(header, bytes.begin());
  std::ranges::copy(header, bytes.begin() + 2048);
  bytes.insert(bytes.end(), input.begin() + static_cast<std::ptrdiff_t>(header.size()), input.end());
  bytes.resize(AlignUp(bytes.size() + 1, kWalBlockBytes));
  Store(files, "/wal/00000001.wal", bytes);
}

void StoreSteps(SimFileSystem& files, Input& input, bool stage_second) {
  const WalPosition base(static_cast<std::int64_t>(input.Byte() % 4 * kWalBlockBytes));
  WrittenFile first = WriteFile(input, 2, base, WalPosition(-1));
  const WalPosition first_end = base + static_cast<std::int64_t>(first.body.size());
  WrittenFile second = WriteFile(input, 4 + input.Byte() % 2, first_end, first.last_frame);
  second.header.predecessor_generation = input.Byte() % 8 == 0 ? 3 : 2;
  // A header that passes its CRC tells the truth; only the file before it may be missing.
  second.header.last_frame = first.last_frame;
  int slot = 1;
  for (const WrittenFile* file : {&first, &second}) {
    if (file == &second && stage_second) {
      std::vector<std::byte> ring(kStagingBytes);
      for (std::size_t i = 0; i < file->body.size(); ++i)
        ring[(static_cast<std::size_t>(first_end.value()) + i) % kStagingBytes] = file->body[i];
      Store(files, "/wal/staging", ring);
      continue;
    }
    std::vector<std::byte> bytes(kWalFileHeaderBytes);
    EncodeWalFileHeader(file->header, std::span(bytes).first<kWalFileHeaderBytes>());
    bytes.insert(bytes.end(), file->body.begin(), file->body.end());
    Store(files, "/wal/0000000" + std::to_string(slot++) + ".wal", bytes);
  }
}

WalOptions Options() {
  return {.directory = "/wal",
          .wal_bytes_max = 16 << 20,
          .frame_bytes_max = 64 << 10,
          .staging_bytes = kStagingBytes,
          .file_bytes = kFileBytes};
}

void RecoverTwice(SimFileSystem& files) {
  SimClock clock;
  Recording first;
  auto opened = DiskWal::Open(Options(), files, clock, first);
  if (!opened) {
    MR_CHECK(opened.error().code() == ErrorCode::kCorruption, opened.error().message());
    return;
  }
  DiskWal& wal = **opened;
  MR_CHECK(wal.end() >= first.end, wal.end().value(), first.end.value());
  const std::vector<std::byte> payload(33, std::byte{0x5a});
  const std::span<const std::byte> piece(payload);
  auto appended = wal.TryAppend(WalStream(1), std::span(&piece, 1));
  if (!appended && appended.error().code() == ErrorCode::kUnavailable) {
    const auto room = wal.AwaitRoom(payload.size(), std::chrono::hours(1));
    MR_CHECK(room, room.error().message());
    appended = wal.TryAppend(WalStream(1), std::span(&piece, 1));
  }
  MR_CHECK(appended, appended.error().message());
  const auto durable = wal.AwaitDurable(appended->end);
  MR_CHECK(durable, durable.error().message());
  MR_CHECK(wal.Close());
  opened->reset();
  first.frames[appended->begin] = payload;

  Recording second;
  const auto again = DiskWal::Open(Options(), files, clock, second);
  MR_CHECK(again, again.error().message());
  MR_CHECK(second.frames == first.frames, second.frames.size(), first.frames.size());
  MR_CHECK((*again)->Close());
}

}  // namespace
}  // namespace millrace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace millrace;
  constexpr std::size_t kLogBytes = 4 * (kStagingBytes + kFileBytes) + (1 << 20);  // staging, a fresh file, the disk
  Input input(std::as_bytes(std::span(bytes, size)));
  const std::uint8_t mode = input.Byte();
  const AllocationMeter meter;
  SimFileSystem files;
  MR_CHECK(files.CreateDirectories("/wal"));
  if (mode % 4 == 0) {
    StoreRaw(files, input.Take(size));
  } else {
    StoreSteps(files, input, mode % 4 == 1);
  }
  RecoverTwice(files);
  meter.ExpectPeakWithin(AllocationBound(size) + kLogBytes);
  return 0;
}
