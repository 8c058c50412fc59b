#include "store/stopping_object_store.h"

#include "millrace/request_scope.h"

namespace millrace {

template <class Request>
auto StoppingObjectStore::Within(const Request& request) -> decltype(request()) {
  if (stop_.stop_requested()) return Error(ErrorCode::kClosed, "the engine is closed");
  const std::stop_token callers = RequestScope::Current().stop;
  if (!callers.stop_possible()) {
    const RequestScope scope({.stop = stop_});
    return request();
  }
  std::stop_source either;
  const auto stop = [&either] { either.request_stop(); };
  const std::stop_callback ours(stop_, stop), theirs(callers, stop);
  const RequestScope scope({.stop = either.get_token()});
  return request();
}

Result<void> StoppingObjectStore::Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) {
  return Within([&] { return inner_->Put(key, pieces, mode); });
}

Result<SharedBytes> StoppingObjectStore::Get(std::string_view key, ByteRange range) {
  return Within([&] { return inner_->Get(key, range); });
}

Result<std::vector<SharedBytes>> StoppingObjectStore::GetParts(std::string_view key, std::uint64_t offset,
                                                               std::span<const std::uint64_t> lengths) {
  return Within([&] { return inner_->GetParts(key, offset, lengths); });
}

Result<std::vector<SharedBytes>> StoppingObjectStore::PrefetchParts(std::string_view key, std::uint64_t offset,
                                                                    std::span<const std::uint64_t> lengths) {
  return Within([&] { return inner_->PrefetchParts(key, offset, lengths); });
}

Result<ObjectDescription> StoppingObjectStore::Head(std::string_view key) {
  return Within([&] { return inner_->Head(key); });
}

Result<ObjectPage> StoppingObjectStore::List(std::string_view prefix, std::string_view continuation, std::size_t max) {
  return Within([&] { return inner_->List(prefix, continuation, max); });
}

Result<void> StoppingObjectStore::Delete(std::string_view key) {
  return Within([&] { return inner_->Delete(key); });
}

Result<void> StoppingObjectStore::DeleteMany(std::span<const std::string> keys) {
  return Within([&] { return inner_->DeleteMany(keys); });
}

}  // namespace millrace
