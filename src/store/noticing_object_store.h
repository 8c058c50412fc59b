// An object store that tells when an object is not there.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "store/forwarding_object_store.h"

namespace millrace {

/// Safe from any thread.
class NoticingObjectStore final : public ForwardingObjectStore {
 public:
  /// `on_missing` is called on the thread of the request, under no lock, before that returns kNotFound.
  NoticingObjectStore(std::shared_ptr<ObjectStore> inner, std::function<void()> on_missing)
      : ForwardingObjectStore(std::move(inner)), on_missing_(std::move(on_missing)) {}

 private:
  Result<void> Around(const Subject& /*subject*/, const std::function<Result<void>()>& request) override {
    auto done = request();
    if (!done && done.error().code() == ErrorCode::kNotFound) on_missing_();
    return done;
  }

  const std::function<void()> on_missing_;
};

}  // namespace millrace
