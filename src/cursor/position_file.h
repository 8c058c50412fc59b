// One file of the position log: made whole before it gets its name, written block by block, final after a failure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

inline constexpr std::array<std::string_view, 2> kPositionFileNames = {"positions-0", "positions-1"};
/// Behind the name of a file in the making.
inline constexpr std::string_view kPositionFileNew = ".new";

/// One thread at a time. Bytes handed to it are whole blocks in memory that suits direct I/O.
class PositionFile {
 public:
  /// A new file that begins with `snapshot`, zeros behind it, takes the place of whatever has this name. Durable on
  /// return; after a failure the old file is there, or the new one.
  static Result<std::unique_ptr<PositionFile>> Make(FileSystem& file_system, const std::filesystem::path& path,
                                                    std::uint64_t capacity, std::span<const std::byte> snapshot);
  /// One that is there, to be written over.
  static Result<std::unique_ptr<PositionFile>> Open(FileSystem& file_system, const std::filesystem::path& path);

  /// Writes at `offset` and syncs. After a failure every later call answers the same and touches nothing.
  Result<void> WriteSynced(std::uint64_t offset, std::span<const std::byte> bytes);

  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  [[nodiscard]] bool failed() const { return failure_ != nullptr; }

 private:
  PositionFile(FileSystem& file_system, std::filesystem::path path)
      : file_system_(file_system), path_(std::move(path)) {}
  Result<void> OpenWriter(FileCreation creation);
  Result<void> Write(std::uint64_t offset, std::span<const std::byte> bytes);
  Result<void> Fill(std::span<const std::byte> snapshot);

  FileSystem& file_system_;
  std::filesystem::path path_;
  std::uint64_t capacity_ = 0;
  bool direct_ = true;
  std::unique_ptr<File> file_;
  std::unique_ptr<const Error> failure_;
};

}  // namespace millrace
