// What the program tells the shell. The table is in docs/cli.md.
#pragma once

#include "millrace/result.h"

namespace millrace {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kExists = 4,
  kDenied = 5,
  kUnreachable = 6,
  kPartDone = 7,
  kDifferent = 8,
  kDamaged = 9,
  kInterrupted = 130,
};

ExitCode ExitCodeOf(ErrorCode code);

}  // namespace millrace
