// The error codes that handlers give (kafka::code has their numbers), and which of them an Error of ours becomes.
#pragma once

#include <cstdint>

#include "kafka/error_codes.h"
#include "millrace/result.h"
#include "record/batch_check.h"

namespace millrace::reply_code {

using namespace kafka::code;

/// The same under shorter names.
inline constexpr std::int16_t kUnknown = kUnknownServerError, kUnknownTopic = kUnknownTopicOrPartition,
                              kCoordinatorLoading = kCoordinatorLoadInProgress, kInvalidTopic = kInvalidTopicException,
                              kTopicExists = kTopicAlreadyExists, kOutOfOrderSequence = kOutOfOrderSequenceNumber,
                              kStorageError = kKafkaStorageError, kUnsupportedCompression = kUnsupportedCompressionType;

/// What a call on a partition failed with. What may pass (a store that does not answer, a full disk, an engine that
/// closes) is kStorageError, which clients retry.
std::int16_t OfPartitionError(const Error& error);
/// What a change of topics failed with.
std::int16_t OfTopicError(const Error& error);
/// Why a batch is refused. `transactional`: the request named a transaction.
std::int16_t OfBatchFault(BatchFault fault, bool transactional);

}  // namespace millrace::reply_code
