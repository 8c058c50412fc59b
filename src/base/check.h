// MR_CHECK: our own mistakes end the process with the values that disagree. Never for bytes from disk or network.
#pragma once

#include <sstream>
#include <string>

namespace millrace {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const std::string& values);

template <class... Values>
[[noreturn]] void CheckFailedWith(const char* file, int line, const char* condition, const Values&... values) {
  std::ostringstream text;
  ((text << ' ' << values), ...);
  CheckFailed(file, line, condition, text.str());
}

}  // namespace millrace

/// MR_CHECK(a <= b, a, b): always on; prints the condition and the values.
#define MR_CHECK(condition, ...)                                                              \
  do {                                                                                        \
    if (!(condition)) [[unlikely]]                                                            \
      ::millrace::CheckFailedWith(__FILE__, __LINE__, #condition __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)

#ifdef NDEBUG
#define MR_DCHECK(condition, ...) \
  do {                            \
  } while (false)
#else
#define MR_DCHECK(condition, ...) MR_CHECK(condition, __VA_ARGS__)
#endif
