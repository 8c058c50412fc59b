// How a plan of several ranges of one file reaches the disk: the two back ends, which give the same results and errors.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "env/uring.h"
#include "millrace/file_system.h"

namespace millrace {

/// kRing falls back to kPositional where the machine has no ring for us, at open or later.
enum class IoBackEnd { kPositional, kRing };

/// An open descriptor, and its name for error texts.
struct PlannedFile {
  int descriptor;
  const std::filesystem::path& path;
};

/// Safe from any thread.
class IoPlans {
 public:
  virtual ~IoPlans() = default;
  virtual Result<void> Read(const PlannedFile& file, std::span<FileRead> plan) = 0;
  virtual Result<void> Write(const PlannedFile& file, std::span<const FileWrite> plan) = 0;
};

/// preadv and pwritev for ranges that follow each other in the file, one call for each run of them.
class PositionalPlans final : public IoPlans {
 public:
  Result<void> Read(const PlannedFile& file, std::span<FileRead> plan) override;
  Result<void> Write(const PlannedFile& file, std::span<const FileWrite> plan) override;
};

/// One submission a plan; what follows each other without a gap is one call even here. Rings are kept, a few, and made
/// when a thread finds none idle; a thread that gets none, and whatever a ring does not take, goes the positional way.
class RingPlans final : public IoPlans {
 public:
  using Open = std::unique_ptr<UringKernel> (*)(std::uint32_t entries);

  /// None if the probe finds no ring that works. `open` is the machine's or a test's.
  static std::unique_ptr<RingPlans> Probe(Open open = &OpenUringKernel);
  Result<void> Read(const PlannedFile& file, std::span<FileRead> plan) override;
  Result<void> Write(const PlannedFile& file, std::span<const FileWrite> plan) override;

 private:
  explicit RingPlans(Open open) : open_(open) {}
  std::unique_ptr<Uring> Take() MR_EXCLUDES(mutex_);
  void Return(std::unique_ptr<Uring> ring) MR_EXCLUDES(mutex_);
  void Run(std::span<UringTransfer> transfers);

  const Open open_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Uring>> idle_ MR_GUARDED_BY(mutex_);
};

// One range, whole: what both back ends and single calls stand on.
/// Reads on from `done`; returns the bytes of the range that are there.
Result<std::size_t> ReadRange(const PlannedFile& file, std::uint64_t offset, std::span<std::byte> out,
                              std::size_t done = 0);
Result<void> WriteRange(const PlannedFile& file, std::uint64_t offset, std::span<const std::byte> bytes);

}  // namespace millrace
