// Consumer: reads several partitions from where its group left off.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine.h"
#include "millrace/export.h"
#include "millrace/record.h"
#include "millrace/result.h"

namespace millrace {

/// A record without a copy; `topic` lives as long as the consumer.
struct ConsumedView : RecordView {
  ConsumedView(RecordView record, std::string_view topic, PartitionId partition)
      : RecordView(std::move(record)), topic(topic), partition(partition) {}
  std::string_view topic;
  PartitionId partition;
};

/// One thread at a time, Wakeup apart. Closes itself.
class MILLRACE_EXPORT Consumer {
 public:
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  /// At most `max_records` (0: ReadConfig::fetch_size). Empty means every partition is at its visible end; `wait`
  /// bounds the waiting for new records. A failing partition's error comes from the next Poll, then alternates with the
  /// others' data; no position moves by it.
  Result<std::vector<ConsumedRecord>> Poll(std::size_t max_records, std::chrono::milliseconds wait = {});
  /// The same without copying keys and values.
  Result<std::vector<ConsumedView>> PollViews(std::size_t max_records, std::chrono::milliseconds wait = {});
  /// Stores the positions under the group. No group: successful no-op.
  Result<void> Commit();
  Result<void> Seek(const TopicPartition& partition, Offset position);
  Result<void> SeekToTime(std::int64_t timestamp_ms);
  Result<Offset> Position(const TopicPartition& partition) const;
  [[nodiscard]] std::vector<TopicPartition> Assignment() const;
  /// Damage stepped over by polls under OnDamage::kSkip since the last call.
  [[nodiscard]] std::vector<DamagedRange> TakeSkipped();
  /// Where the bytes of all polls so far came from; of the ranges, the first thousand.
  [[nodiscard]] ReadExplanation Explanation() const;
  /// From any thread: a waiting Poll returns empty.
  void Wakeup();
  Result<void> Close();

  class Implementation;
  explicit Consumer(std::unique_ptr<Implementation> implementation);

 private:
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace
