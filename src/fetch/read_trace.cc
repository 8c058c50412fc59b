#include "fetch/read_trace.h"

#include "store/metered_object_store.h"

namespace millrace {

void ReadTrace::CountRequest(const std::string& object, ByteRange range) {
  ReadExplanation request;
  request.requests = 1;
  request.cost_usd = RequestPrices{}.get_usd;
  request.ranges.push_back({object, range.offset, range.length});
  if (ahead != nullptr)
    ahead->Add(request);
  else
    explanation.Add(request);
  counters.requests.fetch_add(1, std::memory_order_relaxed);
}

void ReadTrace::CountShared() {
  ++explanation.shared;
  counters.shared.fetch_add(1, std::memory_order_relaxed);
}

void ReadTrace::CountWait(WaitCause cause, std::chrono::nanoseconds time) {
  WaitByCause& by_cause = explanation.wait_by_cause;
  explanation.wait += time;
  switch (cause) {
    case WaitCause::kSync:
      by_cause.sync += time;
      break;
    case WaitCause::kStore:
      by_cause.store += time;
      break;
    case WaitCause::kShared:
      by_cause.shared += time;
      break;
    case WaitCause::kMemory:
      by_cause.memory += time;
      break;
    case WaitCause::kCache:
      by_cause.cache += time;
      break;
  }
}

}  // namespace millrace
