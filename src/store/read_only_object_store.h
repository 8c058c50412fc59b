// An object store that is looked at and not changed.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "millrace/object_store.h"

namespace millrace {

/// Safe from any thread. Whatever would change an object is kPermissionDenied.
class ReadOnlyObjectStore final : public ObjectStore {
 public:
  explicit ReadOnlyObjectStore(std::shared_ptr<ObjectStore> inner) : inner_(std::move(inner)) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes>, PutMode) override { return Refusal(key); }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override { return inner_->Get(key, range); }
  Result<std::vector<SharedBytes>> GetParts(std::string_view key, std::uint64_t offset,
                                            std::span<const std::uint64_t> lengths) override {
    return inner_->GetParts(key, offset, lengths);
  }
  Result<std::vector<SharedBytes>> PrefetchParts(std::string_view key, std::uint64_t offset,
                                                 std::span<const std::uint64_t> lengths) override {
    return inner_->PrefetchParts(key, offset, lengths);
  }
  Result<ObjectDescription> Head(std::string_view key) override { return inner_->Head(key); }
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    return inner_->List(prefix, continuation, max);
  }
  Result<void> Delete(std::string_view key) override { return Refusal(key); }
  Result<void> DeleteMany(std::span<const std::string> keys) override {
    if (keys.empty()) return {};
    return Refusal(keys.front());
  }
  [[nodiscard]] std::string Describe() const override { return inner_->Describe(); }

 private:
  [[nodiscard]] Error Refusal(std::string_view key) const {
    return {ErrorCode::kPermissionDenied, "object " + std::string(key) + " of " + inner_->Describe() +
                                              " is not changed: the log is open for reading"};
  }

  const std::shared_ptr<ObjectStore> inner_;
};

}  // namespace millrace
