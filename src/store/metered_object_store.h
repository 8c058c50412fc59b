// Counts what passes through to an object store, and what it would cost at list prices.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "store/forwarding_object_store.h"

namespace millrace {

/// US dollars per request. Source: S3 standard list prices; deletes are free.
struct RequestPrices {
  double put_usd = 0.005 / 1000, list_usd = 0.005 / 1000, get_usd = 0.0004 / 1000, head_usd = 0.0004 / 1000;
};

/// Requests made, failed ones included, and bytes of those that succeeded.
struct ObjectRequestCounts {
  std::uint64_t puts = 0, gets = 0, heads = 0, lists = 0, deletes = 0, failed = 0;
  std::uint64_t bytes_put = 0, bytes_got = 0;

  [[nodiscard]] std::uint64_t requests() const { return puts + gets + heads + lists + deletes; }
  [[nodiscard]] double CostUsd(const RequestPrices& prices = {}) const;
};

/// Safe from any thread.
class MeteredObjectStore final : public ForwardingObjectStore {
 public:
  explicit MeteredObjectStore(std::shared_ptr<ObjectStore> inner) : ForwardingObjectStore(std::move(inner)) {}

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

  [[nodiscard]] ObjectRequestCounts Counts() const;

 private:
  template <class T>
  Result<T> Count(std::atomic<std::uint64_t>& requests, Result<T> result);

  std::atomic<std::uint64_t> puts_{0}, gets_{0}, heads_{0}, lists_{0}, deletes_{0}, failed_{0};
  std::atomic<std::uint64_t> bytes_put_{0}, bytes_got_{0};
};

}  // namespace millrace
