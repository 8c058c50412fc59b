// Carries an engine's stop to its object store: every request runs within a scope that has it, beside a stop of the
// caller's own.
#pragma once

#include <memory>
#include <stop_token>

#include "millrace/object_store.h"

namespace millrace {

/// Safe from any thread. kClosed once the stop is requested; requests under way end as soon as the store below heeds
/// RequestScope.
class StoppingObjectStore final : public ObjectStore {
 public:
  StoppingObjectStore(std::shared_ptr<ObjectStore> inner, std::stop_token stop)
      : inner_(std::move(inner)), stop_(std::move(stop)) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override;
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override;
  Result<std::vector<SharedBytes>> GetParts(std::string_view key, std::uint64_t offset,
                                            std::span<const std::uint64_t> lengths) override;
  Result<std::vector<SharedBytes>> PrefetchParts(std::string_view key, std::uint64_t offset,
                                                 std::span<const std::uint64_t> lengths) override;
  Result<ObjectDescription> Head(std::string_view key) override;
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override;
  Result<void> Delete(std::string_view key) override;
  Result<void> DeleteMany(std::span<const std::string> keys) override;
  [[nodiscard]] std::string Describe() const override { return inner_->Describe(); }

 private:
  template <class Request>
  auto Within(const Request& request) -> decltype(request());

  const std::shared_ptr<ObjectStore> inner_;
  const std::stop_token stop_;
};

}  // namespace millrace
