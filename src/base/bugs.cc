#include "base/bugs.h"

namespace millrace {

#ifdef MILLRACE_BUGS
Bug active_bug = Bug::kNone;
#endif

}  // namespace millrace
