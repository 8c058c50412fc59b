#include "engine/appender.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/deadline.h"
#include "base/try.h"
#include "engine/topic.h"
#include "record/record_batch_builder.h"

namespace millrace {
namespace {

std::string At(const Partition& partition, Offset base) {
  return fmt::format("{}/{} offset {}", partition.name().topic, partition.name().partition.value(), base.value());
}

/// How an append stands that did not come to know whether it reached `rung`.
std::string_view BelowRung(Durability rung) {
  if (rung == Durability::kDisk) return "is appended but not known to be synced";
  return "is synced to this disk but not known to be in the object store";
}

}  // namespace

Appender::Appender(const Options& options, Wal& wal, UploadSchedule& uploads, Clock& clock, const CallGate& calls,
                   std::function<void()> on_pressure)
    : options_(options),
      wal_(wal),
      uploads_(uploads),
      clock_(clock),
      on_pressure_(std::move(on_pressure)),
      ladder_(wal, uploads),
      async_(ladder_, clock, calls) {}

Result<Buffer> Appender::Encode(std::span<const Record> records, const AppendOptions& options,
                                std::int64_t now_ms) const {
  return BuildRecordBatch(records, {.compression = options.compression,
                                    .now_ms = now_ms,
                                    .record_bytes_max = options_.limits.record_bytes_max,
                                    .batch_bytes_max = options_.limits.batch_bytes_max,
                                    .producer = options.producer});
}

std::optional<std::chrono::nanoseconds> Appender::DeadlineOf(const AppendOptions& options) const {
  if (!options.timeout) return {};
  const std::chrono::nanoseconds deadline = DeadlineAfter(clock_.Monotonic(), *options.timeout);
  if (deadline == kNever) return {};
  return deadline;
}

std::chrono::nanoseconds Appender::RoomDeadline(std::optional<std::chrono::nanoseconds> deadline) const {
  return std::min(deadline.value_or(kNever), DeadlineAfter(clock_.Monotonic(), options_.append_wait_max));
}

AppendReceipt Appender::EmptyReceipt(Partition& partition, Durability durability) const {
  const Offset end = partition.log().offsets().log_end;
  return {.base_offset = end,
          .last_offset = end - 1,
          .timestamp_ms = clock_.WallMs(),
          .reached = durability,
          .partition = partition.name().partition};
}

Result<AppendReceipt> Appender::Append(Partition& partition, std::span<const Record> records,
                                       const AppendOptions& options) {
  MR_TRY(partition.CheckAlive());
  if (records.empty()) return EmptyReceipt(partition, options.durability.value_or(partition.settings().durability()));
  const std::int64_t now_ms = clock_.WallMs();
  MR_ASSIGN_OR_RETURN(Buffer batch, Encode(records, options, now_ms));
  const std::int64_t last_ms = records.back().timestamp_ms;
  return Finish(partition, std::move(batch), last_ms != 0 ? last_ms : now_ms, options);
}

Result<AppendReceipt> Appender::AppendBatch(Partition& partition, std::span<const std::byte> batch,
                                            const AppendOptions& options) {
  MR_TRY(partition.CheckAlive());
  MR_ASSIGN_OR_RETURN(const RecordBatchView view, ValidateBatch(batch, options_.limits));
  Buffer copy(batch.size());
  std::ranges::copy(batch, copy.bytes().begin());
  return Finish(partition, std::move(copy), view.max_timestamp_ms(), options);
}

Result<AppendReceipt> Appender::Finish(Partition& partition, Buffer batch, std::int64_t timestamp_ms,
                                       const AppendOptions& options) {
  const Durability durability = options.durability.value_or(partition.settings().durability());
  const std::optional<std::chrono::nanoseconds> deadline = DeadlineOf(options);
  MR_ASSIGN_OR_RETURN(const AppendedBatch appended, Stage(partition, batch, deadline));
  AppendReceipt receipt{.base_offset = appended.base,
                        .last_offset = appended.end - 1,
                        .timestamp_ms = appended.repeated ? appended.timestamp_max_ms : timestamp_ms,
                        .reached = Durability::kOs,
                        .partition = partition.name().partition,
                        .repeated = appended.repeated};
  const StagedAppend staged{.wal_end = appended.wal_end, .end = appended.end, .asked = durability};
  ladder_.Begin(partition.upload(), staged);
  while (const auto rung = AppendLadder::RungAbove(receipt.reached, staged.asked)) {
    if (auto reached = AwaitRung(partition, *rung, staged, deadline); !reached)
      return reached.error().WithContext(fmt::format("{} {}", At(partition, appended.base), BelowRung(*rung)));
    receipt.reached = *rung;
  }
  MR_DCHECK(receipt.reached == Durability::kOs || staged.wal_end <= wal_.durable_end(), staged.wal_end.value());
  return receipt;
}

Result<void> Appender::AwaitRung(Partition& partition, Durability rung, const StagedAppend& append,
                                 std::optional<std::chrono::nanoseconds> deadline) {
  if (rung == Durability::kDisk) return wal_.AwaitDurable(append.wal_end, deadline);  // leads the group's sync
  return AwaitTiered(partition, append, deadline);
}

/// Stages `batch`, waiting for room up to `deadline`.
Result<AppendedBatch> Appender::Stage(Partition& partition, Buffer& batch,
                                      std::optional<std::chrono::nanoseconds> deadline) {
  const std::uint64_t bytes = batch.size();
  auto appended = partition.log().TryAppend(batch);
  if (!appended) [[unlikely]] {
    const std::chrono::nanoseconds room_deadline = RoomDeadline(deadline);
    while (!appended) {
      MR_TRY(AwaitRoom(appended.error(), bytes, room_deadline));
      appended = partition.log().TryAppend(batch);
    }
  }
  if (!appended->repeated) partition.OnAppended(bytes);
  return appended;
}

Result<void> Appender::AwaitRoom(const Error& refusal, std::uint64_t bytes, std::chrono::nanoseconds deadline) {
  if (refusal.code() != ErrorCode::kUnavailable && refusal.code() != ErrorCode::kOutOfSpace) return refusal;
  on_pressure_();
  auto room = wal_.AwaitRoom(bytes, deadline);
  if (room || room.error().code() != ErrorCode::kOutOfSpace) return room;
  const auto failure = uploads_.Failure();  // what would have freed it
  if (!failure) return room;
  return room.error().WithContext(
      fmt::format("no room comes back since uploads fail, {} in a row ({})", failure->times, failure->error.message()));
}

Result<void> Appender::AwaitTiered(Partition& partition, const StagedAppend& append,
                                   std::optional<std::chrono::nanoseconds> deadline) {
  struct Outcome {  // shared: the schedule may call when we have stopped waiting
    Mutex mutex;
    CondVar changed;
    std::optional<Result<void>> result MR_GUARDED_BY(mutex);
  };
  const auto outcome = std::make_shared<Outcome>();
  ladder_.OnRung(Durability::kObject, partition.upload(), append, [outcome](const Result<void>& result) {
    MutexLock lock(outcome->mutex);
    MR_CHECK(!outcome->result);  // told once
    outcome->result = result;
    outcome->changed.NotifyAll();
  });
  MutexLock lock(outcome->mutex);
  while (!outcome->result) {
    if (!deadline) {
      outcome->changed.Wait(outcome->mutex);
      continue;
    }
    const auto left = TimeLeft(*deadline, clock_.Monotonic());
    if (left == left.zero()) return Error(ErrorCode::kTimeout, "the upload took longer than the append's timeout");
    outcome->changed.WaitFor(outcome->mutex, left);
  }
  return *outcome->result;
}

void Appender::AppendAsync(Partition& partition, std::span<const Record> records, const AppendOptions& options,
                           AsyncAppends::Done done) {
  if (auto alive = partition.CheckAlive(); !alive) return AsyncAppends::Refuse(std::move(done), alive.error());
  const Durability durability = options.durability.value_or(partition.settings().durability());
  if (records.empty()) return async_.AddEmpty(partition, EmptyReceipt(partition, durability), std::move(done));
  const std::int64_t now_ms = clock_.WallMs();
  auto batch = Encode(records, options, now_ms);
  if (!batch) return AsyncAppends::Refuse(std::move(done), std::move(batch).error());
  const std::uint64_t bytes = batch->size();
  const std::optional<std::chrono::nanoseconds> patience = DeadlineOf(options);
  if (auto reserved = async_.Reserve(bytes, patience); !reserved)
    return AsyncAppends::Refuse(std::move(done), reserved.error());
  const std::int64_t last_ms = records.back().timestamp_ms;
  const std::chrono::nanoseconds deadline = RoomDeadline(patience);
  while (true) {
    auto staged = async_.TryAppend(partition, *batch, last_ms != 0 ? last_ms : now_ms, durability, done);
    if (staged) return;
    if (auto room = AwaitRoom(staged.error(), bytes, deadline); !room) {
      async_.Release(bytes);
      return AsyncAppends::Refuse(std::move(done), room.error());
    }
  }
}

}  // namespace millrace
