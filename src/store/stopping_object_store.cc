#include "store/stopping_object_store.h"

#include "millrace/request_scope.h"

namespace millrace {

Result<void> StoppingObjectStore::Around(const Subject&, const std::function<Result<void>()>& request) {
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

}  // namespace millrace
