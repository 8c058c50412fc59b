#include "wal/wal_file.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/try.h"

namespace millrace {

std::string WalFileName(std::uint64_t slot) { return fmt::format("{:08}.wal", slot); }

std::optional<std::uint64_t> WalFileSlot(std::string_view name) {
  constexpr std::string_view kEnding = ".wal";
  if (!name.ends_with(kEnding)) return std::nullopt;
  name.remove_suffix(kEnding.size());
  std::uint64_t slot = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), slot);
  if (error != std::errc() || end != name.data() + name.size() || WalFileName(slot) != std::string(name) + ".wal") {
    return std::nullopt;
  }
  return slot;
}

Error CannotReadWal(const WalDiskFile& disk, std::uint64_t offset) {
  return {ErrorCode::kUnavailable,
          fmt::format("WAL file {} cannot be read at byte {}: the log is not opened, and nothing was changed",
                      disk.path.string(), offset),
          "open again when the disk is well; if it stays so, put a copy in the file's place that has zeros for what "
          "cannot be read (ddrescue makes one): what is missing is then told as damage, and the rest goes on"};
}

Result<void> WalDiskFile::WriteHeader(const WalFileHeader& header) const {
  alignas(kWalBlockBytes) std::byte block[kWalFileHeaderBytes];
  EncodeWalFileHeader(header, block);
  return writer->WriteAt(0, block);
}

WalFile::WalFile(std::shared_ptr<WalDiskFile> disk, const WalFileHeader& header)
    : disk_(std::move(disk)), header_(header) {
  MR_CHECK(header_.base == BlockDown(header_.base), header_.base.value());
  MR_CHECK(header_.capacity <= disk_->capacity, header_.capacity, disk_->capacity);
}

Result<std::size_t> WalFile::Read(WalPosition position, std::span<std::byte> out) const {
  return disk_->reader->ReadAt(FileOffset(position), out);
}

Result<void> WalFile::BeginWriting(std::span<const std::byte> carried) {
  MR_CHECK(!begun_ && carried.size() <= header_.capacity, name(), carried.size());
  MR_CHECK(carried.size() % kWalBlockBytes == 0 && header_.state == WalFileState::kLive, name(), carried.size());
  if (failure_) return *failure_;
  if (!carried.empty()) {
    if (auto written = disk_->writer->WriteAt(kWalFileHeaderBytes, carried); !written) return Failed(written.error());
  }
  if (auto written = disk_->WriteHeader(header_); !written) return Failed(written.error());
  begun_ = true;
  dirty_ = true;
  return {};
}

Result<void> WalFile::Write(WalPosition position, std::span<const std::span<const std::byte>> pieces) {
  MR_CHECK(begun_, name());
  std::vector<FileWrite> plan;
  plan.reserve(pieces.size());
  WalPosition at = position;
  for (const auto bytes : pieces) {
    plan.push_back({FileOffset(at), bytes});
    at += static_cast<std::int64_t>(bytes.size());
  }
  MR_CHECK(position >= base() && at <= limit(), position.value(), at.value(), base().value(), limit().value());
  MR_CHECK(position == BlockDown(position) && at == BlockDown(at), name(), position.value(), at.value());
  if (failure_) return *failure_;
  if (plan.empty()) return {};
  dirty_ = true;
  auto written =
      plan.size() == 1 ? disk_->writer->WriteAt(plan[0].offset, plan[0].bytes) : disk_->writer->WriteMany(plan);
  if (!written) return Failed(written.error());
  return {};
}

Result<void> WalFile::Sync() {
  if (failure_) return *failure_;
  if (auto synced = disk_->writer->Sync(); !synced) return Failed(synced.error());
  dirty_ = false;
  if (begun_) header_synced_.store(true, std::memory_order_release);
  return {};
}

Result<void> WalFile::Failed(Error error) {
  MR_CHECK(!failure_, name());  // no failed page is ever synced a second time
  failure_ = std::make_unique<const Error>(error.WithContext("WAL file " + name()).WithRetryable(false));
  return *failure_;
}

}  // namespace millrace
