#include "log/producer_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"

namespace millrace {
namespace {

constexpr std::uint64_t kMagic = 0x3153444f5250524d;  // "MRPRODS1"
constexpr std::size_t kHeaderBytes = 32, kCrcFrom = 12, kStateBytes = 40, kBatchBytes = 24;
constexpr std::uint64_t kFileBytesMax = 1ull << 30;

std::byte* PutState(std::byte* at, const ProducerState& state) {
  PutLe(at, state.stream.value());
  PutLe(at + 8, state.window.id);
  PutLe(at + 16, state.wal_end.value());
  PutLe(at + 24, state.touched_ms);
  PutLe(at + 32, state.window.epoch);
  PutLe(at + 34, state.window.batch_count);
  at += kStateBytes;
  for (const ProducedBatch& batch : state.window.known()) {
    PutLe(at, batch.first);
    PutLe(at + 4, batch.last);
    PutLe(at + 8, batch.base.value());
    PutLe(at + 16, batch.timestamp_ms);
    at += kBatchBytes;
  }
  return at;
}

/// Takes one state off the front.
std::optional<ProducerState> TakeState(std::span<const std::byte>& bytes) {
  if (bytes.size() < kStateBytes) return std::nullopt;
  const std::byte* at = bytes.data();
  ProducerState state{.stream = WalStream(GetLe<std::uint64_t>(at)),
                      .window = {.id = GetLe<std::int64_t>(at + 8),
                                 .epoch = GetLe<std::int16_t>(at + 32),
                                 .batch_count = GetLe<std::uint8_t>(at + 34)},
                      .wal_end = WalPosition(GetLe<std::int64_t>(at + 16)),
                      .touched_ms = GetLe<std::int64_t>(at + 24)};
  const bool padded = std::ranges::all_of(bytes.subspan(35, 5), [](std::byte byte) { return byte == std::byte{0}; });
  bytes = bytes.subspan(kStateBytes);
  const std::size_t batches = state.window.batch_count;
  if (!padded || batches > ProducerWindow::kBatchesMax || bytes.size() < batches * kBatchBytes) return std::nullopt;
  for (std::size_t i = 0; i < batches; ++i) {
    at = bytes.data() + i * kBatchBytes;
    state.window.batches[i] = {.first = GetLe<std::int32_t>(at),
                               .last = GetLe<std::int32_t>(at + 4),
                               .base = Offset(GetLe<std::int64_t>(at + 8)),
                               .timestamp_ms = GetLe<std::int64_t>(at + 16)};
  }
  bytes = bytes.subspan(batches * kBatchBytes);
  return state.window.CanBe() && state.wal_end >= WalPosition(0) ? std::optional(state) : std::nullopt;
}

}  // namespace

std::vector<std::byte> EncodeProducerCheckpoint(const ProducerCheckpoint& checkpoint) {
  std::size_t size = kHeaderBytes;
  for (const ProducerState& state : checkpoint.states) size += kStateBytes + state.window.batch_count * kBatchBytes;
  std::vector<std::byte> bytes(size);
  PutLe(bytes.data(), kMagic);
  PutLe(bytes.data() + 16, checkpoint.wal_end.value());
  PutLe(bytes.data() + 24, static_cast<std::uint64_t>(checkpoint.states.size()));
  std::byte* at = bytes.data() + kHeaderBytes;
  for (const ProducerState& state : checkpoint.states) {
    MR_DCHECK(state.window.CanBe(), state.window.id);
    at = PutState(at, state);
  }
  MR_CHECK(at == bytes.data() + bytes.size(), bytes.size());
  PutLe(bytes.data() + 8, Crc32c(std::span<const std::byte>(bytes).subspan(kCrcFrom)));
  return bytes;
}

std::uint32_t ChecksumOfProducerCheckpoint(std::span<const std::byte> bytes) {
  MR_CHECK(bytes.size() >= kHeaderBytes, bytes.size());
  return GetLe<std::uint32_t>(bytes.data() + 8);
}

std::optional<ProducerCheckpoint> DecodeProducerCheckpoint(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeaderBytes || GetLe<std::uint64_t>(bytes.data()) != kMagic) return std::nullopt;
  if (GetLe<std::uint32_t>(bytes.data() + 8) != Crc32c(bytes.subspan(kCrcFrom))) return std::nullopt;
  ProducerCheckpoint checkpoint{.wal_end = WalPosition(GetLe<std::int64_t>(bytes.data() + 16)), .states = {}};
  const auto count = GetLe<std::uint64_t>(bytes.data() + 24);
  const auto zero = GetLe<std::uint32_t>(bytes.data() + 12);
  bytes = bytes.subspan(kHeaderBytes);
  if (zero != 0 || checkpoint.wal_end.value() < 0 || count > bytes.size() / (kStateBytes + kBatchBytes))
    return std::nullopt;
  checkpoint.states.reserve(count);
  std::vector<std::pair<std::uint64_t, std::int64_t>> seen;
  seen.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto state = TakeState(bytes);
    if (!state || state->wal_end > checkpoint.wal_end) return std::nullopt;
    seen.emplace_back(state->stream.value(), state->window.id);
    checkpoint.states.push_back(*state);
  }
  std::ranges::sort(seen);
  if (!bytes.empty() || std::ranges::adjacent_find(seen) != seen.end()) return std::nullopt;
  return checkpoint;
}

Result<std::optional<StoredProducerCheckpoint>> ReadProducerCheckpoint(FileSystem& file_system,
                                                                       const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kProducerCheckpointName;
  const auto file = file_system.Open(path, {});
  if (!file && file.error().code() == ErrorCode::kNotFound) return std::optional<StoredProducerCheckpoint>();
  if (!file) return file.error();
  MR_ASSIGN_OR_RETURN(const std::uint64_t size, (*file)->Size());
  const auto damaged = [&] {
    return Error(ErrorCode::kCorruption, fmt::format("{} is damaged", path.string()),
                 "what producers send again from before its frames is appended again")
        .WithDamage({.place = path.string(), .byte_begin = 0, .byte_end = size});
  };
  if (size > kFileBytesMax) return damaged();
  std::vector<std::byte> bytes(size);
  MR_ASSIGN_OR_RETURN(const std::size_t got, (*file)->ReadAt(0, bytes));
  if (got != bytes.size()) return damaged();
  auto checkpoint = DecodeProducerCheckpoint(bytes);
  if (!checkpoint) return damaged();
  return std::optional(
      StoredProducerCheckpoint{.checkpoint = *std::move(checkpoint), .checksum = ChecksumOfProducerCheckpoint(bytes)});
}

Result<std::uint32_t> WriteProducerCheckpoint(FileSystem& file_system, const std::filesystem::path& directory,
                                              const ProducerCheckpoint& checkpoint) {
  const std::filesystem::path path = directory / kProducerCheckpointName;
  const std::filesystem::path aside = path.native() + ".new";
  const auto bytes = EncodeProducerCheckpoint(checkpoint);
  {
    MR_ASSIGN_OR_RETURN(const auto file, file_system.Open(aside, {.access = FileAccess::kReadWrite,
                                                                  .creation = FileCreation::kOpenOrCreate}));
    MR_TRY(file->Truncate(0));
    MR_TRY(file->WriteAt(0, bytes));
    MR_TRY(file->Sync());
  }
  MR_TRY(file_system.Rename(aside, path));
  MR_TRY(file_system.SyncDirectory(directory));
  return ChecksumOfProducerCheckpoint(bytes);
}

Result<void> RemoveProducerCheckpoint(FileSystem& file_system, const std::filesystem::path& directory) {
  const auto removed = file_system.Remove(directory / kProducerCheckpointName);
  if (!removed && removed.error().code() != ErrorCode::kNotFound) return removed;
  return file_system.SyncDirectory(directory);
}

}  // namespace millrace
