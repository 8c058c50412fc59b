// What is remembered of a producer in one partition: its epoch, and its last batches there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "millrace/types.h"
#include "record/producer_sequence.h"

namespace millrace {

/// One batch that was appended.
struct ProducedBatch {
  std::int32_t first = 0, last = 0;  // numbers of its first and last record
  Offset base;
  std::int64_t timestamp_ms = 0;  // its maximum
  friend bool operator==(const ProducedBatch&, const ProducedBatch&) = default;
  [[nodiscard]] std::int64_t count() const { return std::int64_t{SequenceAfter(last, -first)} + 1; }
  [[nodiscard]] Offset end() const { return base + count(); }
};

struct ProducerWindow {
  static constexpr std::size_t kBatchesMax = 5;  // as many as a client may have in flight

  std::int64_t id = 0;
  std::int16_t epoch = 0;
  std::uint8_t batch_count = 0;
  std::array<ProducedBatch, kBatchesMax> batches{};  // oldest first, each following the one before

  [[nodiscard]] std::span<const ProducedBatch> known() const { return {batches.data(), batch_count}; }
  /// `batch` lies behind what is known. One of another epoch, or whose number does not follow, begins the window anew:
  /// it was let in because nothing was known that spoke against it.
  void Push(std::int16_t batch_epoch, const ProducedBatch& batch);
  /// Whether Push could have made it: for what comes from a disk or a store.
  [[nodiscard]] bool CanBe() const;
  /// By what is known.
  friend bool operator==(const ProducerWindow& one, const ProducerWindow& other);
};

}  // namespace millrace
