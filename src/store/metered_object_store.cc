#include "store/metered_object_store.h"

#include "store/object_pieces.h"

namespace millrace {

double ObjectRequestCounts::CostUsd(const RequestPrices& prices) const {
  return static_cast<double>(puts) * prices.put_usd + static_cast<double>(lists) * prices.list_usd +
         static_cast<double>(gets) * prices.get_usd + static_cast<double>(heads) * prices.head_usd;
}

template <class T>
Result<T> MeteredObjectStore::Count(std::atomic<std::uint64_t>& requests, Result<T> result) {
  requests.fetch_add(1, std::memory_order_relaxed);
  if (!result) failed_.fetch_add(1, std::memory_order_relaxed);
  return result;
}

Result<void> MeteredObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  auto result = Count(puts_, ForwardingObjectStore::Put(key, pieces, mode));
  if (result) bytes_put_.fetch_add(TotalBytes(pieces), std::memory_order_relaxed);
  return result;
}

Result<SharedBytes> MeteredObjectStore::Get(std::string_view key, ByteRange range) {
  auto result = Count(gets_, ForwardingObjectStore::Get(key, range));
  if (result) bytes_got_.fetch_add(result->size(), std::memory_order_relaxed);
  return result;
}

Result<std::vector<SharedBytes>> MeteredObjectStore::GetParts(std::string_view key, std::uint64_t offset,
                                                              std::span<const std::uint64_t> lengths) {
  auto result = Count(gets_, ForwardingObjectStore::GetParts(key, offset, lengths));
  if (result) bytes_got_.fetch_add(TotalBytes(*result), std::memory_order_relaxed);
  return result;
}

Result<std::vector<SharedBytes>> MeteredObjectStore::PrefetchParts(std::string_view key, std::uint64_t offset,
                                                                   std::span<const std::uint64_t> lengths) {
  auto result = Count(gets_, ForwardingObjectStore::PrefetchParts(key, offset, lengths));
  if (result) bytes_got_.fetch_add(TotalBytes(*result), std::memory_order_relaxed);
  return result;
}

Result<ObjectDescription> MeteredObjectStore::Head(std::string_view key) {
  return Count(heads_, ForwardingObjectStore::Head(key));
}

Result<ObjectPage> MeteredObjectStore::List(std::string_view prefix, std::string_view continuation, std::size_t max) {
  return Count(lists_, ForwardingObjectStore::List(prefix, continuation, max));
}

Result<void> MeteredObjectStore::Delete(std::string_view key) {
  return Count(deletes_, ForwardingObjectStore::Delete(key));
}

Result<void> MeteredObjectStore::DeleteMany(std::span<const std::string> keys) {
  return Count(deletes_, ForwardingObjectStore::DeleteMany(keys));
}

ObjectRequestCounts MeteredObjectStore::Counts() const {
  const auto get = [](const std::atomic<std::uint64_t>& counter) { return counter.load(std::memory_order_relaxed); };
  return {get(puts_),    get(gets_),   get(heads_),     get(lists_),
          get(deletes_), get(failed_), get(bytes_put_), get(bytes_got_)};
}

}  // namespace millrace
