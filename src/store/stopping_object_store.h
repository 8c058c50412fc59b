// Carries an engine's stop to its object store: every request runs within a scope that has it, beside a stop of the
// caller's own.
#pragma once

#include <memory>
#include <stop_token>

#include "store/forwarding_object_store.h"

namespace millrace {

/// Safe from any thread. kClosed once the stop is requested; requests under way end as soon as the store below heeds
/// RequestScope.
class StoppingObjectStore final : public ForwardingObjectStore {
 public:
  StoppingObjectStore(std::shared_ptr<ObjectStore> inner, std::stop_token stop)
      : ForwardingObjectStore(std::move(inner)), stop_(std::move(stop)) {}

 private:
  Result<void> Around(const Subject& subject, const std::function<Result<void>()>& request) override;

  const std::stop_token stop_;
};

}  // namespace millrace
