// Objects in memory: for tests, for the simulator, and for engines that shall leave nothing behind.
#pragma once

#include <map>
#include <string>

#include "base/mutex.h"
#include "millrace/clock.h"
#include "millrace/object_store.h"

namespace millrace {

/// Safe from any thread. `clock` stamps modified_ms and outlives the store; null stamps 0.
class MemoryObjectStore final : public ObjectStore {
 public:
  explicit MemoryObjectStore(const Clock* clock = nullptr) : clock_(clock) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override;
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override;
  Result<ObjectDescription> Head(std::string_view key) override;
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override;
  Result<void> Delete(std::string_view key) override;
  [[nodiscard]] std::string Describe() const override { return "memory:"; }

  /// Damages a stored object in place, as bit rot would; false if there is no such byte.
  bool FlipBit(std::string_view key, std::uint64_t byte, unsigned bit);

 private:
  struct Stored {
    SharedBytes bytes;
    std::int64_t modified_ms = 0;
  };
  bool TakenAsFolder(std::string_view key) const MR_REQUIRES(mutex_);

  const Clock* const clock_;
  mutable Mutex mutex_;
  std::map<std::string, Stored, std::less<>> objects_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
