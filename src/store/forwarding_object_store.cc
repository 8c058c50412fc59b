#include "store/forwarding_object_store.h"

#include "base/check.h"

namespace millrace {

Result<void> ForwardingObjectStore::Around(const Subject&, const std::function<Result<void>()>& request) {
  return request();
}

template <class Request>
auto ForwardingObjectStore::Pass(const Subject& subject, const Request& request) -> decltype(request()) {
  std::optional<decltype(request())> answer;
  Result<void> passed = Around(subject, [&answer, &request]() -> Result<void> {
    answer.emplace(request());
    if (!*answer) return answer->error();
    return {};
  });
  if (!passed) return std::move(passed).error();
  MR_CHECK(answer.has_value());
  return *std::move(answer);
}

Result<void> ForwardingObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  return Pass({"put", key}, [&] { return inner_->Put(key, pieces, mode); });
}

Result<SharedBytes> ForwardingObjectStore::Get(std::string_view key, ByteRange range) {
  return Pass({"get", key}, [&] { return inner_->Get(key, range); });
}

Result<std::vector<SharedBytes>> ForwardingObjectStore::GetParts(std::string_view key, std::uint64_t offset,
                                                                 std::span<const std::uint64_t> lengths) {
  return Pass({"get", key}, [&] { return inner_->GetParts(key, offset, lengths); });
}

Result<std::vector<SharedBytes>> ForwardingObjectStore::PrefetchParts(std::string_view key, std::uint64_t offset,
                                                                      std::span<const std::uint64_t> lengths) {
  return Pass({"get", key}, [&] { return inner_->PrefetchParts(key, offset, lengths); });
}

Result<ObjectDescription> ForwardingObjectStore::Head(std::string_view key) {
  return Pass({"head", key}, [&] { return inner_->Head(key); });
}

Result<ObjectPage> ForwardingObjectStore::List(std::string_view prefix, std::string_view continuation,
                                               std::size_t max) {
  return Pass({"list", prefix}, [&] { return inner_->List(prefix, continuation, max); });
}

Result<void> ForwardingObjectStore::Delete(std::string_view key) {
  return Pass({"delete", key}, [&] { return inner_->Delete(key); });
}

Result<void> ForwardingObjectStore::DeleteMany(std::span<const std::string> keys) {
  return Pass({"delete", std::to_string(keys.size()) + " objects"}, [&] { return inner_->DeleteMany(keys); });
}

}  // namespace millrace
