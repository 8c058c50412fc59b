#include "server/kafka/reply_code.h"

namespace millrace::reply_code {

std::int16_t OfPartitionError(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kOutOfRange:
      return kOffsetOutOfRange;
    case ErrorCode::kCorruption:
      return kCorruptMessage;
    case ErrorCode::kNotFound:
      return kUnknownTopic;
    case ErrorCode::kTimeout:
      return kRequestTimedOut;
    case ErrorCode::kInvalidArgument:
      return kMessageTooLarge;
    case ErrorCode::kFenced:
      return kFencedLeaderEpoch;
    case ErrorCode::kProducerFenced:
      return kInvalidProducerEpoch;
    case ErrorCode::kOutOfSequence:
      return kOutOfOrderSequence;
    case ErrorCode::kUnavailable:
    case ErrorCode::kOutOfSpace:
    case ErrorCode::kClosed:
    case ErrorCode::kPermissionDenied:
      return kStorageError;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kUnsupported:
    case ErrorCode::kInternal:
      break;
  }
  return kUnknown;
}

std::int16_t OfTopicError(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kNotFound:
      return kUnknownTopic;
    case ErrorCode::kAlreadyExists:
      return kTopicExists;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      return kInvalidConfig;
    case ErrorCode::kTimeout:
    case ErrorCode::kUnavailable:
      return kRequestTimedOut;
    default:
      return kUnknown;
  }
}

std::int16_t OfBatchFault(BatchFault fault, bool transactional) {
  switch (fault) {
    case BatchFault::kNone:
      return kNone;
    case BatchFault::kUnknownMagic:
    case BatchFault::kLength:
    case BatchFault::kCrc:
      return kCorruptMessage;
    case BatchFault::kTooLarge:
    case BatchFault::kRecordTooLarge:
      return kMessageTooLarge;
    case BatchFault::kTimeType:
    case BatchFault::kTimestamp:
      return kInvalidTimestamp;
    case BatchFault::kTransactional:
      return transactional ? kInvalidTxnState : kTransactionalIdAuthorizationFailed;
    default:
      return kInvalidRecord;
  }
}

}  // namespace millrace::reply_code
