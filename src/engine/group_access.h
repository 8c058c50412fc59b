// The door for a group coordinator of a server in this process: the rows in which groups and their positions are kept,
// the same ones that consumers of the library use, and the time that they age by.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/metadata_image.h"
#include "millrace/engine.h"
#include "millrace/metadata_store.h"

namespace millrace {

/// The engine outlives it. Safe from any thread.
class GroupAccess {
 public:
  explicit GroupAccess(Engine& engine);
  ~GroupAccess();
  GroupAccess(const GroupAccess&) = delete;
  GroupAccess& operator=(const GroupAccess&) = delete;

  /// Every call counts as in flight against Engine::Close and answers kClosed after it; a Commit is kPermissionDenied
  /// in a log that was opened for reading. Its Close does nothing.
  [[nodiscard]] MetadataStore& metadata() const { return *metadata_; }
  /// By which positions name a partition. Precondition: not none.
  [[nodiscard]] static PartitionKey KeyOf(PartitionHandle partition);
  /// Trusted time, milliseconds since 1970.
  [[nodiscard]] std::int64_t TrustedMs() const;
  /// While it is doubted nothing is deleted for its age.
  [[nodiscard]] bool TimeIsDoubted() const;

 private:
  Engine::State& state_;
  const std::unique_ptr<MetadataStore> metadata_;
};

}  // namespace millrace
