#include "server/kafka/fetch_part.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "server/kafka/reply_code.h"

namespace millrace {

void FetchPart::Open(PartitionAccess& log, std::string_view topic, const kafka::FetchRequest::Partition& asked) {
  next = Offset(asked.fetch_offset);
  bytes_max = static_cast<std::uint64_t>(std::max(asked.partition_max_bytes, 0));
  partition = log.Find(topic, PartitionId(asked.partition));
  if (!partition) {
    code = reply_code::kUnknownTopic;
    return;
  }
  CheckEpochs(log, asked);
}

void FetchPart::CheckEpochs(PartitionAccess& log, const kafka::FetchRequest::Partition& asked) {
  if (asked.current_leader_epoch >= 0) {
    const auto epoch = log.Epoch(partition);
    if (!epoch) return Fail(log, epoch.error());
    if (asked.current_leader_epoch != epoch->value()) {
      code = asked.current_leader_epoch < epoch->value() ? reply_code::kFencedLeaderEpoch
                                                         : reply_code::kUnknownLeaderEpoch;
      return;
    }
  }
  if (asked.last_fetched_epoch < 0) return;
  const auto end = log.EndOfEpoch(partition, LeaderEpoch(asked.last_fetched_epoch));
  if (!end) return Fail(log, end.error());
  if (!*end) {
    code = reply_code::kOffsetOutOfRange;
  } else if ((*end)->epoch.value() < asked.last_fetched_epoch || (*end)->end.value() < asked.fetch_offset) {
    diverging = {.epoch = (*end)->epoch.value(), .end_offset = (*end)->end.value()};
  } else {
    return;
  }
  if (const auto marks = log.Marks(partition)) {
    high_watermark = marks->visible_end.value();
    log_start = marks->offsets.log_start.value();
  }
}

void FetchPart::ReadTail(PartitionAccess& log, std::uint64_t bytes_left, Overshoot overshoot) {
  armed = false;
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
    code = unread ? reply_code::kStorageError : reply_code::OfPartitionError(read.error());
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
  code = reply_code::OfPartitionError(error);
  if (const auto bounds = error.bounds()) {
    high_watermark = bounds->end.value();
    log_start = bounds->log_start.value();
  } else if (const auto marks = log.Marks(partition)) {
    high_watermark = marks->visible_end.value();
    log_start = marks->offsets.log_start.value();
  }
}

}  // namespace millrace
