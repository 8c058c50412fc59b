#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace millrace {

void CheckFailed(const char* file, int line, const char* condition, const std::string& values) {
  std::fprintf(stderr, "millrace: internal check failed at %s:%d: %s%s\n", file, line, condition, values.c_str());
  std::abort();
}

}  // namespace millrace
