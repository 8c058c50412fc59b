#include "kafka/error_codes.h"

namespace millrace {

int KafkaCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOutOfRange:
      return 1;
    case ErrorCode::kCorruption:
      return 2;
    case ErrorCode::kNotFound:
      return 3;
    case ErrorCode::kTimeout:
      return 7;
    case ErrorCode::kUnavailable:
      return 8;
    case ErrorCode::kUnsupported:
      return 35;
    case ErrorCode::kAlreadyExists:
      return 36;
    case ErrorCode::kInvalidArgument:
      return 42;
    case ErrorCode::kOutOfSpace:
    case ErrorCode::kClosed:
      return 56;
    case ErrorCode::kFenced:
      return 74;
    case ErrorCode::kPermissionDenied:
      return 29;
    case ErrorCode::kInternal:
      return -1;
  }
  return -1;
}

}  // namespace millrace
