#include "server/kafka/fetch_part.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "server/kafka/reply_code.h"

namespace millrace {

void FetchPart::Open(PartitionAccess& log, PartitionHandle found, std::int16_t unknown_code,
                     const kafka::FetchRequest::Partition& asked) {
  next = Offset(asked.fetch_offset);
  bytes_max = static_cast<std::uint64_t>(std::max(asked.partition_max_bytes, 0));
  partition = found;
  gone_code = unknown_code;
  if (!partition) {
    code = unknown_code;
    return;
  }
  CheckEpochs(log, asked);
}

void FetchPart::CheckEpochs(PartitionAccess& log, const kafka::FetchRequest::Partition& asked) {
  if (asked.current_leader_epoch >= 0) {
    const auto epoch = log.Epoch(partition);
    if (!epoch) return Fail(log, epoch.error());
    leader_epoch = epoch->value();
    if (asked.current_leader_epoch != leader_epoch) {
      code =
          asked.current_leader_epoch < leader_epoch ? reply_code::kFencedLeaderEpoch : reply_code::kUnknownLeaderEpoch;
      return;
    }
  }
  if (asked.last_fetched_epoch >= 0) CheckLastEpoch(log, asked);
}

/// Whether the record before `fetch_offset` is the one that the client has (KIP-595).
void FetchPart::CheckLastEpoch(PartitionAccess& log, const kafka::FetchRequest::Partition& asked) {
  const auto end = log.EndOfEpoch(partition, LeaderEpoch(asked.last_fetched_epoch));
  if (!end) return Fail(log, end.error());
  const auto marks = log.Marks(partition);
  if (!marks) return Fail(log, marks.error());
  // Whatever the epochs say: there is nothing to cut back to below the log's start.
  const bool below = asked.fetch_offset < marks->offsets.log_start.value();
  const bool parted =
      *end && ((*end)->epoch.value() < asked.last_fetched_epoch || (*end)->end.value() < asked.fetch_offset);
  if (*end && !below && !parted) return;
  if (*end && !below) {
    diverging = {.epoch = (*end)->epoch.value(), .end_offset = (*end)->end.value()};
  } else {
    code = reply_code::kOffsetOutOfRange;
  }
  high_watermark = marks->visible_end.value();
  log_start = marks->offsets.log_start.value();
}

std::int16_t FetchPart::CodeOf(const Error& error) const {
  return error.code() == ErrorCode::kNotFound ? gone_code : reply_code::OfPartitionError(error);
}

void FetchPart::ReadTail(PartitionAccess& log, std::uint64_t bytes_left, Overshoot overshoot) {
  armed = rests = false;
  auto read = log.ReadTail(partition, next, std::min(bytes_max - std::min(bytes, bytes_max), bytes_left), overshoot);
  if (!read) return Fail(log, read.error());
  high_watermark = read->high_watermark.value();
  log_start = read->log_start.value();
  elsewhere = read->state == TailRead::State::kElsewhere;
  full = read->full;
  for (const SharedBytes& batch : read->batches) bytes += batch.size();
  if (!read->batches.empty()) next = read->next;
  std::ranges::move(read->batches, std::back_inserter(batches));
}

void FetchPart::Add(Result<BatchReadResult> read) {
  elsewhere = false;
  // What was read before is worth an answer; the next fetch meets the error.
  if (!read && !batches.empty()) {
    full = true;
    return;
  }
  if (!read) {
    const bool unread = read.error().code() == ErrorCode::kTimeout;
    code = unread ? reply_code::kStorageError : CodeOf(read.error());
    return;
  }
  high_watermark = read->high_watermark.value();
  log_start = read->log_start.value();
  // There is something, and the limit let nothing in.
  full = read->batches.empty();
  if (!full) next = read->next;
  for (const SharedBytes& batch : read->batches) bytes += batch.size();
  std::ranges::move(read->batches, std::back_inserter(batches));
}

void FetchPart::Fail(PartitionAccess& log, const Error& error) {
  if (!batches.empty()) {
    full = true;
    return;
  }
  code = CodeOf(error);
  if (const auto bounds = error.bounds()) {
    high_watermark = bounds->end.value();
    log_start = bounds->log_start.value();
  } else if (const auto marks = log.Marks(partition)) {
    high_watermark = marks->visible_end.value();
    log_start = marks->offsets.log_start.value();
  }
}

}  // namespace millrace
