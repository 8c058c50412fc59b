// Who sent what lies in a segment: the producers that number their batches, with the last batches of each. So a log
// whose disk is lost still knows what it has, when one sends again what it had no answer for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "record/producer_window.h"
#include "record/record_batch_view.h"

namespace millrace {

/// In the directory of an object, and so in one segment.
inline constexpr std::size_t kProducersMax = 16'384;

struct ProducersTold {
  std::vector<ProducerWindow> producers;  // by id, each once
  std::uint32_t left_out = 0;             // for want of room, at least so many: those whose last batch comes first
  friend bool operator==(const ProducersTold&, const ProducersTold&) = default;
  [[nodiscard]] bool empty() const { return producers.empty() && left_out == 0; }
};

/// Leaves those out whose last batch comes first, until there are at most `max`.
void KeepLatest(ProducersTold& told, std::size_t max);

/// Not thread-safe. Memory: about 200 bytes a producer, of at most 2 * kProducersMax.
class SegmentProducers {
 public:
  /// `batch` lies behind those before.
  void Add(const RecordBatchView& batch);
  /// What was told since the last call.
  ProducersTold Take();

 private:
  void MakeRoom();

  std::unordered_map<std::int64_t, ProducerWindow> producers_;
  std::uint32_t left_out_ = 0;
};

}  // namespace millrace
