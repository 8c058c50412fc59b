#include "segment/producer_codec.h"

#include "base/check.h"
#include "base/coding.h"

namespace millrace {
namespace {

constexpr std::size_t kHeadBytes = 8 + 2 + 1, kBatchBytes = 4 + 4 + 8 + 8;
static_assert(kHeadBytes + kBatchBytes == kProducerBytesMin);

}  // namespace

void PutProducer(const ProducerWindow& producer, std::vector<std::byte>& to) {
  MR_CHECK(producer.CanBe(), producer.id, producer.epoch, producer.batch_count);
  std::size_t at = to.size();
  to.resize(at + kHeadBytes + producer.batch_count * kBatchBytes);
  PutLe(to.data() + at, producer.id);
  PutLe(to.data() + at + 8, producer.epoch);
  PutLe(to.data() + at + 10, producer.batch_count);
  at += kHeadBytes;
  for (const ProducedBatch& batch : producer.known()) {
    PutLe(to.data() + at, batch.first);
    PutLe(to.data() + at + 4, batch.last);
    PutLe(to.data() + at + 8, std::int64_t{batch.base.value()});
    PutLe(to.data() + at + 16, batch.timestamp_ms);
    at += kBatchBytes;
  }
}

std::optional<ProducerWindow> TakeProducer(std::span<const std::byte>& bytes) {
  if (bytes.size() < kProducerBytesMin) return std::nullopt;
  ProducerWindow producer{.id = GetLe<std::int64_t>(bytes.data()),
                          .epoch = GetLe<std::int16_t>(bytes.data() + 8),
                          .batch_count = GetLe<std::uint8_t>(bytes.data() + 10)};
  if (producer.batch_count > ProducerWindow::kBatchesMax) return std::nullopt;
  const std::size_t size = kHeadBytes + producer.batch_count * kBatchBytes;
  if (bytes.size() < size) return std::nullopt;
  const std::byte* at = bytes.data() + kHeadBytes;
  for (std::size_t i = 0; i < producer.batch_count; ++i, at += kBatchBytes)
    producer.batches[i] = {.first = GetLe<std::int32_t>(at),
                           .last = GetLe<std::int32_t>(at + 4),
                           .base = Offset(GetLe<std::int64_t>(at + 8)),
                           .timestamp_ms = GetLe<std::int64_t>(at + 16)};
  if (!producer.CanBe()) return std::nullopt;
  bytes = bytes.subspan(size);
  return producer;
}

}  // namespace millrace
