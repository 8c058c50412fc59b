// What a store tells of the producers that number their batches: a snapshot of those that its log knew, and each object
// of those whose batches it holds. Whoever goes on with the log knows of them what lies in it, and nothing else.
//
//   snapshot, shares of directories ─► the last batches of each, by offset ─► those that segments hold ─► windows
//
// The order in which they are added makes no difference: an offset was given once, so two that tell of it tell the
// same.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "millrace/metadata_store.h"
#include "segment/object_directory.h"
#include "tier/known_producer.h"
#include "tier/snapshot_format.h"

namespace millrace {

/// Not thread-safe. Memory: about 300 bytes a producer and partition, of at most 2 * kProducersKept.
class FoundProducers {
 public:
  /// As many as a log knows at most; beyond them, who was heard of least recently goes.
  static constexpr std::size_t kProducersKept = 100'000;

  void Add(const Snapshot& snapshot);
  void Add(const ObjectDirectory& directory);
  [[nodiscard]] bool empty() const { return places_.empty(); }

  /// Of the log that has these rows (partitions and segments by their keys): each producer with those of its last
  /// batches that lie in a segment or below the log's start. Who was heard of least recently comes first. Cost: a
  /// search among the segments for each batch.
  [[nodiscard]] std::vector<KnownProducer> HeldIn(std::span<const TopicRow> topics,
                                                  std::span<const PartitionRow> partitions,
                                                  std::span<const SegmentRow> segments) const;

 private:
  /// By the topic's uuid, too: a number may have been given again by who did not know of it.
  struct Place {
    TopicId topic;
    StoredId uuid{};
    PartitionId partition;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Batch {
    std::int16_t epoch = 0;
    ProducedBatch produced;
  };
  struct Producer {
    std::int64_t heard_ms = 0;
    std::vector<Batch> batches;  // the last ones, by offset
  };
  struct OfPlace {
    Offset left_out_from;  // where the last share begins that left some out
    std::map<std::int64_t, Producer> producers;
  };
  void Add(OfPlace& place, const ProducerWindow& window, std::int64_t heard_ms);
  void DropOldest();

  std::map<Place, OfPlace> places_;
  std::size_t count_ = 0;
  std::int64_t dropped_ms_ = std::numeric_limits<std::int64_t>::min();  // none that was dropped was heard of later
};

}  // namespace millrace
