// Where frames wait to be written: a ring of bytes over the line, in a file mapped shared, so that what was copied in
// has reached the operating system and survives the process. Position p lies at p mod size. Frames too large for the
// ring wait alone in a second file, made when needed.
//
// Where files cannot be mapped the ring is on the heap, and every frame is also written to the staging file before
// its append returns.
//
// Threads: the log's mutex guards the order of calls; without it the leader reads bytes that nothing changes any more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "millrace/file_system.h"
#include "millrace/result.h"
#include "wal/wal.h"

namespace millrace {

inline constexpr std::string_view kStagingFileName = "staging";
inline constexpr std::string_view kLargeStagingFileName = "staging-large";

/// Bytes in one file, mapped or kept beside it.
class StagingArea {
 public:
  /// Makes the file `size` bytes long, with its space reserved, and keeps what it holds.
  static Result<std::unique_ptr<StagingArea>> Open(FileSystem& file_system, const std::filesystem::path& path,
                                                   std::uint64_t size);
  [[nodiscard]] std::span<std::byte> bytes() { return bytes_; }
  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] bool mapped() const { return region_ != nullptr; }
  /// The first store into a page costs microseconds: pays for the next few, ahead of appends. False: all are paid for.
  /// Stores what is there, so no other thread may be storing meanwhile.
  bool TouchNext();
  /// Puts [offset, offset + length) where it survives the process; nothing to do if mapped.
  Result<void> Publish(std::uint64_t offset, std::uint64_t length);

 private:
  StagingArea() = default;
  struct FreeAligned {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<File> file_;
  std::unique_ptr<MappedRegion> region_;
  std::unique_ptr<std::byte[], FreeAligned> heap_;
  std::span<std::byte> bytes_;
  std::uint64_t touched_ = 0;
};

class StagingRing {
 public:
  static Result<std::unique_ptr<StagingRing>> Open(FileSystem& file_system, const std::filesystem::path& directory,
                                                   std::uint64_t size);

  [[nodiscard]] std::uint64_t size() const { return ring_->size(); }
  [[nodiscard]] bool mapped() const { return ring_->mapped(); }

  bool TouchNext() { return ring_->TouchNext(); }
  void CopyIn(WalPosition position, std::span<const std::byte> bytes);
  void Zero(WalPosition position, std::uint64_t length);
  void CopyOut(WalPosition position, std::span<std::byte> out);
  /// The bytes from `position` on that lie together, at most `length`.
  [[nodiscard]] std::span<const std::byte> Contiguous(WalPosition position, std::uint64_t length);
  Result<void> Publish(WalPosition position, std::uint64_t length);

  // The second place, for one frame at a time.
  /// Makes an area for `bytes`; does I/O, changes nothing here.
  [[nodiscard]] Result<std::unique_ptr<StagingArea>> MakeLarge(std::uint64_t bytes) const;
  /// Puts `area` in place and returns the one that was there. Precondition: !holds_large().
  std::unique_ptr<StagingArea> ExchangeLarge(std::unique_ptr<StagingArea> area);
  [[nodiscard]] std::uint64_t large_size() const { return large_ ? large_->size() : 0; }
  /// From now until EndLarge, [begin, end) lies there and not in the ring.
  void BeginLarge(WalPosition begin, WalPosition end);
  [[nodiscard]] bool holds_large() const { return large_begin_ < large_end_; }
  [[nodiscard]] WalPosition large_end() const { return large_end_; }
  void EndLarge();
  /// Removes the file of an area that was taken out; does I/O.
  void RemoveLarge() const;

 private:
  StagingRing(FileSystem& file_system, std::filesystem::path directory)
      : file_system_(file_system), directory_(std::move(directory)) {}
  template <class Visit>
  void VisitPieces(WalPosition position, std::uint64_t length, Visit visit);

  FileSystem& file_system_;
  const std::filesystem::path directory_;
  std::unique_ptr<StagingArea> ring_;
  std::unique_ptr<StagingArea> large_;
  WalPosition large_begin_, large_end_;
};

}  // namespace millrace
