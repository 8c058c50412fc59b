#include "cli/exit_code.h"

namespace millrace {

ExitCode ExitCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return ExitCode::kUsage;
    case ErrorCode::kNotFound:
      return ExitCode::kNotFound;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kFenced:
      return ExitCode::kExists;
    case ErrorCode::kPermissionDenied:
      return ExitCode::kDenied;
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return ExitCode::kUnreachable;
    case ErrorCode::kCorruption:
      return ExitCode::kDamaged;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace millrace
