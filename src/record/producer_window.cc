#include "record/producer_window.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr Offset kOffsetsEnd(std::int64_t{1} << 62);  // so that no sum overflows

}  // namespace

void ProducerWindow::Push(std::int16_t batch_epoch, const ProducedBatch& batch) {
  const auto before = known();
  if (epoch != batch_epoch || before.empty() || SequenceAfter(before.back().last) != batch.first) batch_count = 0;
  epoch = batch_epoch;
  if (batch_count == kBatchesMax) {
    std::ranges::move(batches.begin() + 1, batches.end(), batches.begin());
    --batch_count;
  }
  batches[batch_count++] = batch;
}

bool ProducerWindow::CanBe() const {
  if (id < 0 || epoch < 0 || batch_count == 0 || batch_count > kBatchesMax) return false;
  const ProducedBatch* before = nullptr;
  for (const ProducedBatch& batch : known()) {
    if (batch.first < 0 || batch.last < 0 || batch.base < Offset(0) || batch.base >= kOffsetsEnd) return false;
    if (before != nullptr && (batch.first != SequenceAfter(before->last) || batch.base < before->end())) return false;
    before = &batch;
  }
  return true;
}

bool operator==(const ProducerWindow& one, const ProducerWindow& other) {
  return one.id == other.id && one.epoch == other.epoch && std::ranges::equal(one.known(), other.known());
}

}  // namespace millrace
