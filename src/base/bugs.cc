#include "base/bugs.h"

namespace millrace {

#ifdef MILLRACE_BUGS
Bug active_bug = Bug::kNone;
std::atomic<std::uint64_t> planted_firings = 0;
#endif

}  // namespace millrace
