// One partition of a fetch: what was asked, what was read so far, and what its answer says.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/partition_access.h"
#include "kafka/messages/fetch.h"
#include "millrace/bytes.h"

namespace millrace {

struct SessionPartition;

struct FetchPart {
  SessionPartition* session = nullptr;  // what its session keeps of it; none outside of a session
  PartitionHandle partition;
  Offset next;                  // where to read on
  std::uint64_t bytes_max = 0;  // of this partition
  std::vector<SharedBytes> batches;
  std::uint64_t bytes = 0;
  std::int16_t code = 0;
  std::int16_t gone_code = 0;      // what it is answered once its topic is deleted
  std::int32_t leader_epoch = -1;  // told to a client that knows an older one
  // Real ones as soon as the partition is known, with an error too: a client without bounds asks for ever.
  std::int64_t high_watermark = -1, log_start = -1;
  kafka::FetchResponse::EpochEnd diverging;
  bool elsewhere = false;  // more lies where reading may block
  bool full = false;       // the next batch did not fit
  bool armed = false;      // wakes the fetch when there is more
  bool rests = false;      // and its session after it, for nothing has come since
  bool reading = false;    // a cold read of it is in flight

  [[nodiscard]] bool ends_wait() const { return code != 0 || diverging != kafka::FetchResponse::EpochEnd(); }
  [[nodiscard]] bool readable() const { return partition && !ends_wait() && !full; }

  /// Checks what the client says of epochs. `found`: none if there is no such partition; `unknown_code` is its answer
  /// then.
  void Open(PartitionAccess& log, PartitionHandle found, std::int16_t unknown_code,
            const kafka::FetchRequest::Partition& asked);
  /// What memory has from `next` on. Never waits.
  void ReadTail(PartitionAccess& log, std::uint64_t bytes_left, Overshoot overshoot);
  /// Takes over what was read elsewhere.
  void Add(Result<BatchReadResult> read);
  void Fail(PartitionAccess& log, const Error& error);

 private:
  void CheckEpochs(PartitionAccess& log, const kafka::FetchRequest::Partition& asked);
  void CheckLastEpoch(PartitionAccess& log, const kafka::FetchRequest::Partition& asked);
  [[nodiscard]] std::int16_t CodeOf(const Error& error) const;
};

}  // namespace millrace
