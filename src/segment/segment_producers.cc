#include "segment/segment_producers.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace millrace {

void KeepLatest(ProducersTold& told, std::size_t max) {
  auto& producers = told.producers;
  if (producers.size() <= max) return;
  const auto kept_end = producers.begin() + static_cast<std::ptrdiff_t>(max);
  std::ranges::nth_element(producers, kept_end, std::ranges::greater(),
                           [](const ProducerWindow& producer) { return producer.known().back().base; });
  told.left_out += static_cast<std::uint32_t>(producers.size() - max);
  producers.erase(kept_end, producers.end());
  std::ranges::sort(producers, {}, &ProducerWindow::id);
}

void SegmentProducers::Add(const RecordBatchView& batch) {
  const std::int64_t id = batch.producer_id();
  const std::int32_t first = batch.base_sequence(), count = batch.record_count();
  if (id < 0 || batch.producer_epoch() < 0 || first < 0 || count <= 0) return;  // of no producer, or no numbers
  if (producers_.size() >= 2 * kProducersMax && !producers_.contains(id)) MakeRoom();
  ProducerWindow& producer = producers_[id];
  producer.id = id;
  producer.Push(batch.producer_epoch(), {.first = first,
                                         .last = SequenceAfter(first, count - 1),
                                         .base = batch.base_offset(),
                                         .timestamp_ms = batch.max_timestamp_ms()});
}

/// Half of them go at once, so that it costs little for each.
void SegmentProducers::MakeRoom() {
  ProducersTold kept = Take();
  left_out_ = kept.left_out;
  for (const ProducerWindow& producer : kept.producers) producers_.emplace(producer.id, producer);
}

ProducersTold SegmentProducers::Take() {
  ProducersTold told{.producers = {}, .left_out = std::exchange(left_out_, 0)};
  told.producers.reserve(producers_.size());
  for (const auto& [id, producer] : std::exchange(producers_, {})) told.producers.push_back(producer);
  std::ranges::sort(told.producers, {}, &ProducerWindow::id);
  KeepLatest(told, kProducersMax);
  return told;
}

}  // namespace millrace
