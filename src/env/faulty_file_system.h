// Any file system with faults: for failing the n-th call of a run on the real disk. (SimFileSystem has its own plan.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "env/forwarding_file_system.h"

namespace millrace {

/// Safe from any thread, as far as the one below is.
class FaultyFileSystem final : public ForwardingFileSystem {
 public:
  /// Asked before every call that can fail, numbered from 1; an error is the call's answer, and nothing happens below.
  using Plan = std::function<std::optional<Error>(std::uint64_t call)>;

  explicit FaultyFileSystem(FileSystem& below) : ForwardingFileSystem(below) {}
  void SetPlan(Plan plan) MR_EXCLUDES(mutex_);
  /// Fails call number `n` with `error`, once.
  void FailCall(std::uint64_t n, Error error) MR_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t calls() const MR_EXCLUDES(mutex_);

 private:
  /// Counts the next call; its fault, if it shall have one.
  Result<void> Before() override MR_EXCLUDES(mutex_);

  mutable Mutex mutex_;
  std::uint64_t calls_ MR_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const Plan> plan_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
