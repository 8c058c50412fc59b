// What every reader of an engine shares, and what one read carries along.
#pragma once

#include "fetch/fetch_context.h"
#include "millrace/clock.h"
#include "millrace/options.h"
#include "millrace/request_scope.h"

namespace millrace {

class BlockWarmer;
class Prefetcher;

/// Its members, and itself, outlive the readers.
struct ReadContext : FetchContext {
  Prefetcher* prefetcher = nullptr;  // none: nothing is fetched ahead
  BlockWarmer* warmer = nullptr;     // none: near blocks are read when they are wanted
};

/// Until when a read waits for anything: as `limits` say, from now on.
RequestLimits LimitsOf(const ReadLimits& limits, const Clock& clock);

}  // namespace millrace
