// The bytes of one WAL file while recovery or inspection looks at them: read front to back in big pieces, as far as
// asked for. A block the disk refuses twice counts as unreadable and reads as zeros.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "millrace/file_system.h"
#include "wal/file_header.h"
#include "wal/wal_file.h"

namespace millrace {

/// One thread.
class WalFileImage {
 public:
  /// `bytes`: how much of the file there is to see, header included. `memory` is reused between images; it grows to the
  /// largest file seen, and only pages that were read are ever touched.
  class Memory {
   public:
    std::span<std::byte> Reserve(std::uint64_t size);

   private:
    struct Free {
      void operator()(std::byte* memory) const;
    };
    std::unique_ptr<std::byte[], Free> bytes_;  // aligned, so that direct writes can be made from it
    std::uint64_t size_ = 0;
  };
  /// Reads by the handle that writes, past the page cache where that is possible: twice as fast for what is read once.
  WalFileImage(const WalDiskFile& disk, std::uint64_t bytes, Memory& memory);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// [offset, offset + length) cut at the end of the file, read if it was not yet.
  std::span<const std::byte> At(std::uint64_t offset, std::uint64_t length);
  /// Is any byte of [begin, end) unreadable? Looks only at what was read.
  [[nodiscard]] bool Unreadable(std::uint64_t begin, std::uint64_t end) const;
  /// The first unreadable block of what was read; the size if there is none.
  [[nodiscard]] std::uint64_t unreadable_begin() const { return unreadable_.empty() ? size_ : unreadable_.front(); }
  /// Changes what is seen, not the file. Precondition: inside the file.
  void Overlay(std::uint64_t offset, std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t bytes_read() const { return loaded_; }

 private:
  void LoadUpTo(std::uint64_t end);
  void LoadBlocks(std::uint64_t begin, std::uint64_t end);

  File& file_;     // in big pieces
  File& patient_;  // block by block, where a piece could not be read
  std::uint64_t size_;
  std::span<std::byte> bytes_;
  std::uint64_t loaded_ = 0;
  std::vector<std::uint64_t> unreadable_;  // block offsets, ascending
};

}  // namespace millrace
