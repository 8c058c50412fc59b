// An object store that is looked at and not changed.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "store/forwarding_object_store.h"

namespace millrace {

/// Safe from any thread. Whatever would change an object is kPermissionDenied.
class ReadOnlyObjectStore final : public ForwardingObjectStore {
 public:
  explicit ReadOnlyObjectStore(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes>, PutMode) override { return Refusal(key); }
  Result<void> Delete(std::string_view key) override { return Refusal(key); }
  Result<void> DeleteMany(std::span<const std::string> keys) override {
    if (keys.empty()) return {};
    return Refusal(keys.front());
  }

 private:
  [[nodiscard]] Error Refusal(std::string_view key) const {
    return {ErrorCode::kPermissionDenied,
            "object " + std::string(key) + " of " + Describe() + " is not changed: the log is open for reading"};
  }
};

}  // namespace millrace
