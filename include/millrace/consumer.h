// Consumer: reads several partitions from where its group left off. Consumers of one group in one engine share them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/export.h"
#include "millrace/read.h"
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

/// One thread at a time, Wakeup and Close apart. Closes itself; Close ends a waiting Poll with kClosed and waits for
/// it.
///
/// Consumers of one group in one engine share the partitions of their topics; a partition changes hands when its reader
/// next polls, commits or closes, and begins at the committed position. Partitions added later come with the next Poll.
class MILLRACE_EXPORT Consumer {
 public:
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  /// At most `max_records` (0: ReadConfig::fetch_size), of the partitions in turn, each in offset order. Empty means
  /// every partition is at its visible end; `wait` bounds the waiting for new records. A failing partition's error
  /// comes from the next Poll, then alternates with the others' data; no position moves by it.
  /// Errors: of a read (Engine::Read), kNotFound (a topic that was deleted), kClosed, those of metadata when partitions
  /// change hands. Cost: as Engine::Read; partitions that wait for the store do so side by side. A copy of each record.
  Result<std::vector<ConsumedRecord>> Poll(std::size_t max_records, std::chrono::milliseconds wait = {}) noexcept;
  /// The same without copying keys and values; the views stay valid as long as they are kept.
  Result<std::vector<ConsumedView>> PollViews(std::size_t max_records, std::chrono::milliseconds wait = {}) noexcept;
  /// Stores the positions under the group: of the partitions it reads, topics that are gone apart. No group: successful
  /// no-op. An error means that nothing was stored, as far as the metadata store can tell. Errors: those of metadata,
  /// kClosed. Cost: one transaction, none if no position moved.
  Result<void> Commit() noexcept;
  /// The next record of this partition; stored by the next Commit. Errors: kNotFound (not one it reads), kOutOfRange
  /// with bounds, kClosed. Cost: memory.
  Result<void> Seek(const TopicPartition& partition, Offset position) noexcept;
  /// In each partition to the first record whose timestamp (milliseconds since 1970) is at or past it; none: the
  /// visible end. Errors: as Engine::OffsetForTime; then no position moved. Cost: one such look a partition.
  Result<void> SeekToTime(std::int64_t timestamp_ms) noexcept;
  /// Of the next record. Errors: kNotFound (not one it reads). Cost: memory.
  Result<Offset> Position(const TopicPartition& partition) const noexcept;
  /// What it read at its last poll, commit or seek, by the order it is served. Cost: memory.
  [[nodiscard]] std::vector<TopicPartition> Assignment() const noexcept;
  /// The group's stored position, if it lay beyond the recovered end of the log and had to be moved back when the
  /// engine or this consumer opened.
  [[nodiscard]] std::optional<Offset> CorrectedFrom(const TopicPartition& partition) const noexcept;
  /// Damage stepped over by polls under OnDamage::kSkip since the last call.
  [[nodiscard]] std::vector<DamagedRange> TakeSkipped() noexcept;
  /// Where the bytes of all polls so far came from; of the ranges, the first thousand.
  [[nodiscard]] ReadExplanation Explanation() const noexcept;
  /// From any thread: a waiting Poll returns empty.
  void Wakeup() noexcept;
  /// Gives its partitions back; commits nothing. Again: no-op. Cost: waits for the call under way.
  Result<void> Close() noexcept;

  class Implementation;
  explicit Consumer(std::unique_ptr<Implementation> implementation);

 private:
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace
