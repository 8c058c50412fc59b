#include "base/mutex.h"

#include "base/check.h"

namespace millrace {

#ifndef NDEBUG
void CheckNoMutexHeld() { MR_CHECK(held_mutexes == 0, held_mutexes); }
#endif

}  // namespace millrace
