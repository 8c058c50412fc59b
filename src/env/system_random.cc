#include "env/system_random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/check.h"

namespace millrace {

std::uint64_t SystemRandom::Next() {
  std::uint64_t number = 0;
  ssize_t got = 0;
  do {
    got = ::getrandom(&number, sizeof number, 0);
  } while (got < 0 && errno == EINTR);
  // Requests of up to 256 bytes are never cut short once the kernel's pool is ready.
  MR_CHECK(got == static_cast<ssize_t>(sizeof number), got, errno);
  return number;
}

}  // namespace millrace
