// A disk in memory that crashes honestly. On power loss it keeps what was synced plus a seeded, possibly torn and
// reordered part of the rest; names and sizes are lost too unless their directory, or the file, was synced. On process
// death the page cache survives and only handles are lost.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "env/sim/sim_losses.h"
#include "millrace/file_system.h"

namespace millrace {

enum class SimOperation {
  kOpen,
  kCreate,
  kRead,
  kWrite,
  kSync,
  kAllocate,
  kTruncate,
  kMap,
  kRename,
  kRemove,
  kMakeDirectory,
  kSyncDirectory,
  kList,
  kLock
};

/// What an injected fault does to one call.
struct SimFault {
  ErrorCode code = ErrorCode::kUnavailable;  // kUnavailable: EIO; kOutOfSpace: ENOSPC
  /// Of a failing write: this many bytes are written all the same.
  std::uint64_t bytes_written = 0;
  /// After a failing sync the pages count as clean although they never reached the disk (Linux), or stay dirty.
  bool pages_left_clean = true;
};

/// What the file system can do; everything by default.
struct SimTraits {
  bool direct = true, allocate = true, map = true;
};

class SimFileSystem final : public FileSystem {
 public:
  explicit SimFileSystem(std::uint64_t seed = 1, SimTraits traits = {});
  ~SimFileSystem() override;

  Result<std::unique_ptr<File>> Open(const std::filesystem::path& path, const FileOptions& options) override;
  Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> RenameIfAbsent(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> Remove(const std::filesystem::path& path) override;
  Result<void> CreateDirectories(const std::filesystem::path& path) override;
  Result<void> SyncDirectory(const std::filesystem::path& path) override;
  Result<std::vector<DirectoryEntry>> List(const std::filesystem::path& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::filesystem::path& path, std::string_view holder) override;
  Result<std::unique_ptr<FileLock>> LockShared(const std::filesystem::path& path) override;
  Result<std::uint64_t> FreeSpace(const std::filesystem::path& path) override;

  /// Power loss. Handles and mappings of before are dead: their calls answer kClosed. Locks are released.
  void Crash();
  /// kill -9: nothing written is lost, handles and locks are.
  void KillProcess();

  /// A frozen copy of the disk with everything needed to crash it later, in another SimFileSystem: for enumerating
  /// crash states of one run.
  struct Image;
  [[nodiscard]] std::shared_ptr<const Image> Snapshot() const;
  /// The disk of `image` after power loss, with the surviving part of what was not synced chosen by `seed` (0: nothing
  /// unsynced survives; 1: all of it does).
  static std::unique_ptr<SimFileSystem> AfterPowerLoss(const Image& image, std::uint64_t seed);

  [[nodiscard]] SimLosses losses() const;

  // Faults.
  void SetCapacity(std::optional<std::uint64_t> bytes);
  /// Asked before every call; an answer makes the call fail that way. `call` counts all calls from 1.
  using FaultPlan = std::function<std::optional<SimFault>(SimOperation operation, const std::filesystem::path& path,
                                                          std::uint64_t call)>;
  void SetFaultPlan(FaultPlan plan);
  /// Seen after every successful call that changes the disk (for traces, and for crashing between any two operations).
  void SetObserver(std::function<void(SimOperation operation, const std::filesystem::path& path)> observer);
  [[nodiscard]] std::uint64_t calls() const;
  [[nodiscard]] std::uint64_t calls(SimOperation operation) const;

  /// The bytes of a file as a reader sees them now, and a way to damage them (bit rot: page cache and disk alike).
  [[nodiscard]] std::vector<std::byte> Contents(const std::filesystem::path& path) const;
  void FlipBit(const std::filesystem::path& path, std::uint64_t byte, unsigned bit);
  void Overwrite(const std::filesystem::path& path, std::uint64_t offset, std::span<const std::byte> bytes);
  [[nodiscard]] std::vector<std::filesystem::path> Files() const;

  struct State;  // shared with handles, which may outlive the file system

 private:
  std::shared_ptr<State> state_;
};

}  // namespace millrace
