// The way of an append: encode, stage in the WAL (waiting for room if need be), reach the durability asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "engine/append_ladder.h"
#include "engine/async_appends.h"
#include "engine/partition.h"
#include "millrace/clock.h"
#include "millrace/options.h"
#include "millrace/receipt.h"
#include "record/batch_validator.h"
#include "tier/upload_schedule.h"
#include "wal/wal.h"

namespace millrace {

/// Safe from any thread.
class Appender {
 public:
  struct Options {
    BatchLimits limits;
    std::chrono::milliseconds append_wait_max{30'000};
  };
  /// `on_pressure` is called when an append has to wait for room. Collaborators outlive the appender.
  Appender(const Options& options, Wal& wal, UploadSchedule& uploads, Clock& clock, const CallGate& calls,
           std::function<void()> on_pressure);

  Result<AppendReceipt> Append(Partition& partition, std::span<const Record> records, const AppendOptions& options);
  Result<AppendReceipt> AppendBatch(Partition& partition, std::span<const std::byte> batch,
                                    const AppendOptions& options);
  void AppendAsync(Partition& partition, std::span<const Record> records, const AppendOptions& options,
                   AsyncAppends::Done done);
  [[nodiscard]] AsyncAppends& async() { return async_; }
  /// After `refusal` of staging `bytes`: success means that the append is worth another try. Blocks, up to `deadline`.
  Result<void> AwaitRoom(const Error& refusal, std::uint64_t bytes, std::chrono::nanoseconds deadline);

 private:
  Result<Buffer> Encode(std::span<const Record> records, const AppendOptions& options, std::int64_t now_ms) const;
  /// When the caller's patience ends; none: it named no timeout, or an endless one, and the clock is not asked.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> DeadlineOf(const AppendOptions& options) const;
  AppendReceipt EmptyReceipt(Partition& partition, Durability durability) const;
  Result<AppendReceipt> Finish(Partition& partition, Buffer batch, std::int64_t timestamp_ms,
                               const AppendOptions& options);
  Result<AppendedBatch> Stage(Partition& partition, Buffer& batch, std::optional<std::chrono::nanoseconds> deadline);
  /// How long an append that was refused for want of room waits.
  [[nodiscard]] std::chrono::nanoseconds RoomDeadline(std::optional<std::chrono::nanoseconds> deadline) const;
  Result<void> AwaitRung(Partition& partition, Durability rung, const StagedAppend& append,
                         std::optional<std::chrono::nanoseconds> deadline);
  Result<void> AwaitTiered(Partition& partition, const StagedAppend& append,
                           std::optional<std::chrono::nanoseconds> deadline);

  const Options options_;
  Wal& wal_;
  UploadSchedule& uploads_;
  Clock& clock_;
  const std::function<void()> on_pressure_;
  AppendLadder ladder_;
  AsyncAppends async_;
};

}  // namespace millrace
