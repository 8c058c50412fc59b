// The error codes that handlers give, and which of them an Error of ours becomes.
#pragma once

#include <cstdint>

#include "millrace/result.h"
#include "record/batch_check.h"

namespace millrace::reply_code {

inline constexpr std::int16_t kNone = 0, kUnknown = -1, kOffsetOutOfRange = 1, kCorruptMessage = 2, kUnknownTopic = 3,
                              kRequestTimedOut = 7, kMessageTooLarge = 10, kInvalidTopic = 17,
                              kInvalidRequiredAcks = 21, kClusterAuthorizationFailed = 31, kInvalidTimestamp = 32,
                              kUnsupportedVersion = 35, kTopicExists = 36, kInvalidPartitions = 37,
                              kInvalidReplicationFactor = 38, kInvalidReplicaAssignment = 39, kInvalidConfig = 40,
                              kInvalidRequest = 42, kUnsupportedForMessageFormat = 43, kInvalidTxnState = 48,
                              kTransactionalIdAuthorizationFailed = 53, kStorageError = 56,
                              kFetchSessionIdNotFound = 70, kFencedLeaderEpoch = 74, kUnknownLeaderEpoch = 75,
                              kUnsupportedCompression = 76, kInvalidRecord = 87, kUnknownTopicId = 100;

/// What a call on a partition failed with. What may pass (a store that does not answer, a full disk, an engine that
/// closes) is kStorageError, which clients retry.
std::int16_t OfPartitionError(const Error& error);
/// What a change of topics failed with.
std::int16_t OfTopicError(const Error& error);
/// Why a batch is refused. `transactional`: the request named a transaction.
std::int16_t OfBatchFault(BatchFault fault, bool transactional);

}  // namespace millrace::reply_code
