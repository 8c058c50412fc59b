// One partition of a fetch: what was asked, what was read so far, and what its answer says.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/partition_access.h"
#include "kafka/messages/fetch.h"
#include "millrace/bytes.h"

namespace millrace {

struct FetchPart {
  PartitionHandle partition;
  Offset next;                  // where to read on
  std::uint64_t bytes_max = 0;  // of this partition
  std::vector<SharedBytes> batches;
  std::uint64_t bytes = 0;
  std::int16_t code = 0;
  // Real ones as soon as the partition is known, with an error too: a client without bounds asks for ever.
  std::int64_t high_watermark = -1, log_start = -1;
  kafka::FetchResponse::EpochEnd diverging;
  bool elsewhere = false;  // more lies where reading may block
  bool full = false;       // the next batch did not fit
  bool armed = false;      // wakes the fetch when there is more

  [[nodiscard]] bool ends_wait() const { return code != 0 || diverging != kafka::FetchResponse::EpochEnd(); }
  [[nodiscard]] bool readable() const { return partition && !ends_wait() && !full; }

  /// Finds the partition and checks what the client says of epochs.
  void Open(PartitionAccess& log, std::string_view topic, const kafka::FetchRequest::Partition& asked);
  /// What memory has from `next` on. Never waits.
  void ReadTail(PartitionAccess& log, std::uint64_t bytes_left, Overshoot overshoot);
  /// Takes over what was read elsewhere.
  void Add(Result<BatchReadResult> read);
  void Fail(PartitionAccess& log, const Error& error);

 private:
  void CheckEpochs(PartitionAccess& log, const kafka::FetchRequest::Partition& asked);
};

}  // namespace millrace
