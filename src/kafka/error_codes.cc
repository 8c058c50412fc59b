#include "kafka/error_codes.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace {

int KafkaCodeOf(ErrorCode code) {
  using namespace kafka;
  switch (code) {
    case ErrorCode::kOutOfRange:
      return code::kOffsetOutOfRange;
    case ErrorCode::kCorruption:
      return code::kCorruptMessage;
    case ErrorCode::kNotFound:
      return code::kUnknownTopicOrPartition;
    case ErrorCode::kTimeout:
      return code::kRequestTimedOut;
    case ErrorCode::kUnsupported:
      return code::kUnsupportedVersion;
    case ErrorCode::kAlreadyExists:
      return code::kTopicAlreadyExists;
    case ErrorCode::kInvalidArgument:
      return code::kInvalidRequest;
    case ErrorCode::kUnavailable:  // a client must try again, which it does not do after BROKER_NOT_AVAILABLE
    case ErrorCode::kOutOfSpace:
    case ErrorCode::kClosed:
      return code::kKafkaStorageError;
    case ErrorCode::kProducerFenced:
      return code::kInvalidProducerEpoch;
    case ErrorCode::kOutOfSequence:
      return code::kOutOfOrderSequenceNumber;
    case ErrorCode::kFenced:
      return code::kFencedLeaderEpoch;
    case ErrorCode::kPermissionDenied:
      return code::kTopicAuthorizationFailed;
    case ErrorCode::kInternal:
      break;
  }
  return code::kUnknownServerError;
}

namespace kafka {

const CodeRow* FindCode(std::int16_t code) {
  const auto row = std::ranges::find(kCodeRows, code, &CodeRow::code);
  return row == kCodeRows.end() ? nullptr : &*row;
}

Error ErrorOfCode(std::int16_t code, std::string_view what) {
  const CodeRow* row = FindCode(code);
  if (row == nullptr) {
    return Error(ErrorCode::kInternal,
                 fmt::format("{}: the server answered with the unknown error code {}", what, code))
        .WithRetryable(false);
  }
  return Error(row->ours, fmt::format("{}: {} ({} {})", what, row->meaning, row->code, row->name))
      .WithRetryable(row->retriable);
}

}  // namespace kafka
}  // namespace millrace
