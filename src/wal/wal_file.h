// One WAL file on disk, and one life of it. A WalDiskFile is the open file, whatever uses it; a WalFile is its use for
// one generation of frames, from the moment it leaves the pool to its recycling.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "millrace/file_system.h"
#include "millrace/result.h"
#include "wal/file_header.h"
#include "wal/wal.h"

namespace millrace {

/// Frames are written through one handle (direct where the file system has it) and read through another, by the page
/// cache; OpenFiles keeps few of them open. Immutable after construction; safe from any thread.
struct WalDiskFile {
  std::filesystem::path path;
  std::uint64_t slot = 0;      // the number in its name
  std::uint64_t capacity = 0;  // bytes for frames; the file is one block longer
  std::unique_ptr<File> writer, reader;

  [[nodiscard]] std::string name() const { return path.filename().string(); }
  [[nodiscard]] std::uint64_t bytes() const { return capacity + kWalFileHeaderBytes; }
  /// Not synced.
  Result<void> WriteHeader(const WalFileHeader& header) const;
};

/// What is not read is not known: nothing is opened over it.
Error CannotReadWal(const WalDiskFile& disk, std::uint64_t offset);

/// A slot's file name, and back; none for other files.
std::string WalFileName(std::uint64_t slot);
std::optional<std::uint64_t> WalFileSlot(std::string_view name);

/// Constant but for what the leader of a group alone touches (leadership passes through the log's mutex).
class WalFile {
 public:
  WalFile(std::shared_ptr<WalDiskFile> disk, const WalFileHeader& header);

  [[nodiscard]] std::uint64_t generation() const { return header_.generation; }
  [[nodiscard]] WalPosition base() const { return header_.base; }
  /// The first position that has no room in it.
  [[nodiscard]] WalPosition limit() const { return header_.base + static_cast<std::int64_t>(header_.capacity); }
  /// The same for payloads. The last block is kept for the mark that proves them: in a file filled to its end nothing
  /// would say that its last group was synced, until the next file begins.
  [[nodiscard]] WalPosition payload_limit() const { return limit() - static_cast<std::int64_t>(kWalBlockBytes); }
  [[nodiscard]] const WalFileHeader& header() const { return header_; }
  [[nodiscard]] const std::shared_ptr<WalDiskFile>& disk() const { return disk_; }
  [[nodiscard]] std::string name() const { return disk_->name(); }
  /// Its header is on the disk: from now on the chain holds without the files before it. From any thread.
  [[nodiscard]] bool header_synced() const { return header_synced_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t FileOffset(WalPosition position) const {
    return kWalFileHeaderBytes + static_cast<std::uint64_t>(position - header_.base);
  }

  /// Where its last payload ends; guarded by the log's mutex.
  WalPosition payload_end;

  /// From any thread. Fewer bytes than asked: the file is shorter than it should be.
  Result<std::size_t> Read(WalPosition position, std::span<std::byte> out) const;

  // Leader only.
  /// Writes the live header before the first frames. `carried`, whole blocks, goes to the base even before it: a
  /// process that dies in between must not leave a newest file that knows nothing of them.
  Result<void> BeginWriting(std::span<const std::byte> carried = {});
  /// Whole blocks, one piece behind the other, as one submission.
  Result<void> Write(WalPosition position, std::span<const std::span<const std::byte>> pieces);
  /// After a failure of a write or a sync it answers that error for ever and never touches the file again.
  Result<void> Sync();
  [[nodiscard]] bool begun() const { return begun_; }
  [[nodiscard]] bool dirty() const { return dirty_; }
  [[nodiscard]] bool failed() const { return failure_ != nullptr; }
  /// Recovery found the header in place.
  void MarkBegun() {
    begun_ = true;
    header_synced_.store(true, std::memory_order_release);
  }

 private:
  Result<void> Failed(Error error);

  const std::shared_ptr<WalDiskFile> disk_;
  const WalFileHeader header_;
  std::atomic<bool> header_synced_{false};
  // Leader only.
  bool begun_ = false;
  bool dirty_ = false;
  std::unique_ptr<const Error> failure_;
};

}  // namespace millrace
