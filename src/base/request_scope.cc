#include "millrace/request_scope.h"

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

thread_local const RequestScope* innermost = nullptr;

RequestLimits Narrowed(RequestLimits limits) {
  const RequestLimits& outer = RequestScope::Current();
  limits.deadline = std::min(limits.deadline, outer.deadline);
  if (!limits.stop.stop_possible()) limits.stop = outer.stop;
  return limits;
}

}  // namespace

RequestScope::RequestScope(RequestLimits limits) : limits_(Narrowed(std::move(limits))), outer_(innermost) {
  innermost = this;
}

RequestScope::~RequestScope() { innermost = outer_; }

const RequestLimits& RequestScope::Current() {
  static const RequestLimits unlimited;
  return innermost == nullptr ? unlimited : innermost->limits_;
}

}  // namespace millrace
