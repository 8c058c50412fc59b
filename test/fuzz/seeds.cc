// Writes the seeds of the corpora as the real code makes them: batches and segments of each codec, files of a WAL,
// frames of the position log, what the note of a clean close says of a partition, chunks of the disk cache.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "cursor/position_log_format.h"
#include "env/sim/sim_clock.h"
#include "env/sim/sim_file_system.h"
#include "log/partition_snapshot.h"
#include "record/compressor.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_view.h"
#include "segment/segment_builder.h"
#include "wal/disk_wal.h"

namespace millrace {
namespace {

void Write(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

std::vector<Record> Records() {
  constexpr std::int64_t kTime = 1'700'000'000'000;
  return {{.timestamp_ms = kTime, .key = "user-1", .value = "signed in", .headers = {{"trace", "9f3a11c2"}}},
          {.timestamp_ms = kTime - 70, .value = ""},
          {.timestamp_ms = kTime + 5, .key = "", .value = std::string(150, 'v')},
          {.timestamp_ms = kTime + 9, .key = "user-1", .headers = {{"", {}}, {"reason", ""}}}};
}

SharedBytes Batch(Compression compression, std::int64_t base) {
  auto built = BuildRecordBatch(Records(), {.compression = compression});
  MR_CHECK(built);
  StampBatch(built->bytes(), Offset(base), LeaderEpoch(1));
  return std::move(*built).Freeze();
}

class NoReplay final : public WalReplay {
 public:
  Result<void> OnFrame(WalStream, WalExtent, std::span<const std::byte>) override { return {}; }
  Result<void> OnDamage(const WalDamage&) override { return {}; }
};

/// The file of a log with two groups of frames, closed cleanly (so with a mark) or not, in the target's raw form: a
/// zero, the header's 64 bytes, and what lies behind the header's block up to the last byte in use.
std::vector<std::byte> WalFileBytes(bool close) {
  SimFileSystem files;
  SimClock clock;
  NoReplay replay;
  const WalOptions options{.directory = "/wal",
                           .wal_bytes_max = 16 << 20,
                           .frame_bytes_max = 64 << 10,
                           .staging_bytes = 16 << 10,
                           .file_bytes = 64 << 10};
  auto wal = DiskWal::Open(options, files, clock, replay);
  MR_CHECK(wal, wal.error().message());
  const SharedBytes batch = Batch(Compression::kNone, 0);
  const std::span<const std::byte> piece(batch.bytes());
  for (int group = 0; group < 2; ++group) {
    for (int frame = 0; frame < 2; ++frame) MR_CHECK((*wal)->TryAppend(WalStream(7), std::span(&piece, 1)));
    MR_CHECK((*wal)->AwaitDurable((*wal)->end()));
  }
  if (close) MR_CHECK((*wal)->Close());
  const auto contents = files.Contents("/wal/00000001.wal");
  if (!close) MR_CHECK((*wal)->Close());
  std::vector<std::byte> bytes{std::byte{0}};
  bytes.insert(bytes.end(), contents.begin(), contents.begin() + 64);
  auto end = contents.end();
  while (end != contents.begin() + 4096 && *std::prev(end) == std::byte{0}) --end;
  bytes.insert(bytes.end(), contents.begin() + 4096, end);
  return bytes;
}

/// A frame with an entry of each kind, behind the target's first byte.
std::vector<std::byte> PositionFrameBytesOf(PositionFrameKind kind) {
  const PositionEntry entries[] = {PositionDefine{.id = CursorId(1),
                                                  .key = {.partition = {TopicId(5), PartitionId(2)}, .name = "audit"},
                                                  .position = Offset(41)},
                                   PositionMove{.id = CursorId(1), .position = Offset(42)},
                                   PositionRemove{.id = CursorId(1)}};
  std::size_t entry_bytes = 0;
  for (const PositionEntry& entry : entries) entry_bytes += PositionEntryBytes(entry);
  std::vector<std::byte> bytes(1 + PositionFrameBytes(entry_bytes));
  EncodePositionFrame({.kind = kind, .generation = 3, .sequence = 0, .next_id = CursorId(2)}, entries,
                      std::span(bytes).subspan(1));
  return bytes;
}

/// Two partitions of a note: one with two intervals of frames, one without any.
std::vector<std::byte> PartitionSnapshotBytes() {
  const std::vector<WalIndex::Entry> entries = {
      {Offset(10), WalPosition(4096), 0, 1'700'000'000'000, 1'700'000'000'001},
      {Offset(14), WalPosition(4600), 500, 1'700'000'000'009, 1'700'000'000'010}};
  std::vector<std::byte> bytes;
  EncodePartitionSnapshot({.stream = WalStream(7),
                           .begin = Offset(10),
                           .end = Offset(20),
                           .index = WalIndex::Restored(entries, WalPosition(5000), 900)},
                          bytes);
  EncodePartitionSnapshot({.stream = WalStream(8), .begin = Offset(3), .end = Offset(3), .index = {}}, bytes);
  return bytes;
}

void WriteSeeds(const std::filesystem::path& corpus) {
  Write(corpus / "position_log" / "snapshot", PositionFrameBytesOf(PositionFrameKind::kSnapshot));
  Write(corpus / "position_log" / "update", PositionFrameBytesOf(PositionFrameKind::kUpdate));
  Write(corpus / "clean_close" / "two-partitions", PartitionSnapshotBytes());
  // Which header, and a range of the payload; then the payload.
  const std::string chunk = "\x03\x02\x04the payload of a chunk";
  Write(corpus / "cache_chunk" / "payload", std::as_bytes(std::span(chunk)));
  Write(corpus / "wal" / "closed", WalFileBytes(true));
  Write(corpus / "wal" / "open", WalFileBytes(false));
  const std::string names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  for (int codec = 0; codec < 5; ++codec) {
    const SharedBytes batch = Batch(static_cast<Compression>(codec), 0);
    Write(corpus / "record_batch" / names[codec], batch);
    Write(corpus / "batch_check" / names[codec], batch);
    const SharedBytes next = Batch(static_cast<Compression>(codec), 4);
    std::vector<std::byte> answer(batch.bytes().begin(), batch.bytes().end());
    answer.insert(answer.end(), next.bytes().begin(), next.bytes().end());
    Write(corpus / "fetched_records" / names[codec], answer);
    if (codec == 0) continue;
    std::vector<std::byte> stored{static_cast<std::byte>(codec - 1)};
    const auto records = RecordBatchView::Parse(batch)->stored_records();
    stored.insert(stored.end(), records.begin(), records.end());
    Write(corpus / "inflate" / names[codec], stored);
  }
  const std::string segment_names[] = {"none", "lz4", "zstd"};
  for (int codec = 0; codec < 3; ++codec) {
    SegmentBuilder builder(
        {.partition = {TopicId(5), PartitionId(1)}, .codec = static_cast<SegmentCodec>(codec), .block_bytes = 600});
    for (std::int64_t i = 0; i < 3; ++i) MR_CHECK(builder.Add(Batch(Compression::kNone, 100 + i * 6)));
    const auto built = builder.Finish();
    MR_CHECK(built);
    std::vector<std::byte> bytes;
    for (const SharedBytes& piece : built->pieces)
      bytes.insert(bytes.end(), piece.bytes().begin(), piece.bytes().end());
    Write(corpus / "segment" / segment_names[codec], bytes);
  }
}

}  // namespace
}  // namespace millrace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: fuzz_seeds CORPUS\n", stderr);
    return 2;
  }
  millrace::WriteSeeds(arguments[1]);
  return 0;
}
