// Gives deadlines and stops to a store that knows of none: each request runs on a thread of the store's own, and a
// caller that may wait no longer leaves it there.
//
//   caller ──► request ──► crew's thread ──► the store          (deadline, stop) ──► the caller goes; the thread ends
//      ▲                        │                                                    when the store lets it
//      └──────── outcome ◄──────┘
#pragma once

#include <functional>
#include <memory>

#include "millrace/clock.h"
#include "millrace/request_scope.h"
#include "store/forwarding_object_store.h"

namespace millrace {

/// Safe from any thread. Errors of its own: kTimeout (the scope's deadline), kClosed (its stop); what the request comes
/// to is unknown then. kUnavailable: no thread is to be had. An abandoned request touches the store, its own copy of
/// the arguments and nothing else; it may outlive this, and shares ownership of the store.
class AbandoningObjectStore final : public ForwardingObjectStore {
 public:
  AbandoningObjectStore(std::shared_ptr<ObjectStore> inner, std::shared_ptr<Clock> clock);
  ~AbandoningObjectStore() override;

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

  /// No request comes any more: threads end, those that stand in an abandoned request when the store lets them.
  void Dismiss();

 private:
  class Crew;
  template <class T>
  Result<T> Run(std::move_only_function<Result<T>(ObjectStore&)> request);

  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<Crew> crew_;
};

}  // namespace millrace
