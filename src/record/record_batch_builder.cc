#include "record/record_batch_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "record/compressor.h"
#include "record/record_batch_layout.h"
#include "record/varint.h"

namespace millrace {
namespace {

// A batch's length is an int32, and nothing in it can be longer.
constexpr std::uint64_t kBatchBytesLimit = std::numeric_limits<std::int32_t>::max();

constexpr std::int32_t kNull = -1;
constexpr ProducerStamp kNoProducer{.id = -1, .epoch = -1, .sequence = -1};

std::size_t SizeOf(const std::optional<std::string>& bytes) {
  if (!bytes) return VarintSize(kNull);
  return VarintSize(static_cast<std::int32_t>(bytes->size())) + bytes->size();
}

std::byte* Put(std::byte* at, std::string_view bytes) {
  at = PutVarint(at, static_cast<std::int32_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

std::byte* Put(std::byte* at, const std::optional<std::string>& bytes) {
  return bytes ? Put(at, std::string_view(*bytes)) : PutVarint(at, kNull);
}

/// What a record counts against record_bytes_max: key, value and headers without framing.
std::uint64_t PayloadBytes(const Record& record) {
  std::uint64_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const Header& header : record.headers) bytes += header.key.size() + (header.value ? header.value->size() : 0);
  return bytes;
}

/// Timestamps of a batch: the first record's is the base of all others.
struct Clocking {
  std::int64_t now_ms, base_ms, max_ms;
  [[nodiscard]] std::int64_t Of(const Record& record) const {
    return record.timestamp_ms == 0 ? now_ms : record.timestamp_ms;
  }
};

/// Size of a record after its length varint.
std::size_t BodySize(const Record& record, std::int64_t timestamp_delta, std::int32_t offset_delta) {
  std::size_t size = 1 + VarintSize(timestamp_delta) + VarintSize(offset_delta) + SizeOf(record.key) +
                     SizeOf(record.value) + VarintSize(static_cast<std::int32_t>(record.headers.size()));
  for (const Header& header : record.headers)
    size += VarintSize(static_cast<std::int32_t>(header.key.size())) + header.key.size() + SizeOf(header.value);
  return size;
}

std::byte* PutRecord(std::byte* at, const Record& record, std::int64_t timestamp_delta, std::int32_t offset_delta) {
  at = PutVarint(at, static_cast<std::int32_t>(BodySize(record, timestamp_delta, offset_delta)));
  *at++ = std::byte{0};  // attributes: none is defined
  at = PutVarint(at, timestamp_delta);
  at = PutVarint(at, offset_delta);
  at = Put(at, record.key);
  at = Put(at, record.value);
  at = PutVarint(at, static_cast<std::int32_t>(record.headers.size()));
  for (const Header& header : record.headers) {
    at = Put(at, std::string_view(header.key));
    at = Put(at, header.value);
  }
  return at;
}

/// So much is taken into the CRC at once: it still lies in the processor's caches then.
constexpr std::ptrdiff_t kCrcPieceBytes = 32 << 10;

/// Puts the records behind each other and takes them into `crc`, if there is one.
std::byte* PutRecords(std::byte* at, std::span<const Record> records, const Clocking& clocking, std::uint32_t* crc) {
  std::int32_t delta = 0;
  std::byte* summed = at;
  for (const Record& record : records) {
    at = PutRecord(at, record, clocking.Of(record) - clocking.base_ms, delta++);
    if (crc == nullptr || at - summed < kCrcPieceBytes) continue;
    *crc = Crc32c(std::span<const std::byte>(summed, at), *crc);
    summed = at;
  }
  if (crc != nullptr) *crc = Crc32c(std::span<const std::byte>(summed, at), *crc);
  return at;
}

Error Refused(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

/// Checks every limit and finds the timestamps; returns the size of all records, uncompressed.
Result<std::size_t> Measure(std::span<const Record> records, const BatchBuildOptions& options, Clocking& clocking) {
  if (records.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    return Refused("more records than one batch can count");
  const std::uint64_t bytes_max = std::min(options.batch_bytes_max, kBatchBytesLimit);
  const std::uint64_t record_max = std::min(options.record_bytes_max, kBatchBytesLimit);
  std::uint64_t total = kBatchHeaderBytes;
  std::int32_t index = 0;
  for (const Record& record : records) {
    if (const std::uint64_t payload = PayloadBytes(record); payload > record_max) [[unlikely]]
      return Refused(fmt::format("record {} has {} bytes of key, value and headers; record_bytes_max is {}", index,
                                 payload, record_max));
    const std::int64_t timestamp_ms = clocking.Of(record);
    std::int64_t delta = 0;
    if (__builtin_sub_overflow(timestamp_ms, clocking.base_ms, &delta)) [[unlikely]]
      return Refused(fmt::format("record {} has a timestamp too far from the first one's", index));
    clocking.max_ms = std::max(clocking.max_ms, timestamp_ms);
    const std::size_t body = BodySize(record, delta, index);
    if (body <= kBatchBytesLimit) total += VarintSize(static_cast<std::int32_t>(body));
    total += body;
    if (total > bytes_max) [[unlikely]]
      return Refused(fmt::format("the batch exceeds batch_bytes_max, {} bytes, at record {} of {}", bytes_max, index,
                                 records.size()));
    ++index;
  }
  return total - kBatchHeaderBytes;
}

void PutProducer(std::span<std::byte> batch, const ProducerStamp& producer) {
  PutBe(batch.data() + batch_layout::kProducerId, producer.id);
  PutBe(batch.data() + batch_layout::kProducerEpoch, producer.epoch);
  PutBe(batch.data() + batch_layout::kBaseSequence, producer.sequence);
}

/// Fills the header of `batch` but for the CRC.
void PutHeader(std::span<std::byte> batch, const BatchBuildOptions& options, std::int32_t count,
               const Clocking& clocking) {
  namespace layout = batch_layout;
  std::byte* at = batch.data();
  PutBe(at + layout::kBaseOffset, std::int64_t{0});
  PutBe(at + layout::kLength, static_cast<std::int32_t>(batch.size() - kBatchLengthPrefixBytes));
  PutBe(at + layout::kLeaderEpoch, std::int32_t{0});
  PutBe(at + layout::kMagic, layout::kMagicV2);
  PutBe(at + layout::kAttributes, static_cast<std::int16_t>(options.compression));
  PutBe(at + layout::kLastOffsetDelta, count - 1);
  PutBe(at + layout::kBaseTimestamp, clocking.base_ms);
  PutBe(at + layout::kMaxTimestamp, clocking.max_ms);
  PutProducer(batch, options.producer.value_or(kNoProducer));
  PutBe(at + layout::kRecordCount, count);
}

void PutCrc(std::span<std::byte> batch, std::uint32_t crc) { PutBe(batch.data() + batch_layout::kCrc, crc); }

}  // namespace

Result<Buffer> BuildRecordBatch(std::span<const Record> records, const BatchBuildOptions& options) {
  MR_CHECK(!records.empty());
  if (const auto& producer = options.producer;
      producer && (producer->id < 0 || producer->epoch < 0 || producer->sequence < 0))
    return Refused(fmt::format("a producer's id, epoch and number are 0 or more, not {}, {} and {}", producer->id,
                               producer->epoch, producer->sequence));
  Clocking clocking{.now_ms = options.now_ms, .base_ms = 0, .max_ms = 0};
  clocking.base_ms = clocking.max_ms = clocking.Of(records.front());
  MR_ASSIGN_OR_RETURN(const std::size_t raw_size, Measure(records, options, clocking));
  const auto count = static_cast<std::int32_t>(records.size());

  if (options.compression == Compression::kNone) {
    Buffer batch(kBatchHeaderBytes + raw_size);
    PutHeader(batch.bytes(), options, count, clocking);
    constexpr std::size_t kSummed = kBatchHeaderBytes - batch_layout::kAttributes;
    std::uint32_t crc = Crc32c(batch.bytes().subspan(batch_layout::kAttributes, kSummed));
    const std::byte* end = PutRecords(batch.bytes().data() + kBatchHeaderBytes, records, clocking, &crc);
    MR_DCHECK(end == batch.bytes().data() + batch.size());
    static_cast<void>(end);
    PutCrc(batch.bytes(), crc);
    return batch;
  }
  Buffer raw(raw_size);
  PutRecords(raw.bytes().data(), records, clocking, nullptr);
  MR_ASSIGN_OR_RETURN(const auto stored, Compress(options.compression, raw.bytes()));
  if (stored.size() > kBatchBytesLimit - kBatchHeaderBytes) return Refused("the batch does not fit one length field");
  Buffer batch(kBatchHeaderBytes + stored.size());
  std::memcpy(batch.bytes().data() + kBatchHeaderBytes, stored.data(), stored.size());
  PutHeader(batch.bytes(), options, count, clocking);
  PutCrc(batch.bytes(), Crc32c(batch.bytes().subspan(batch_layout::kAttributes)));
  return batch;
}

void StampProducer(std::span<std::byte> batch, const ProducerStamp& producer) {
  MR_CHECK(batch.size() >= kBatchHeaderBytes, batch.size());
  PutProducer(batch, producer);
  PutCrc(batch, Crc32c(batch.subspan(batch_layout::kAttributes)));
}

}  // namespace millrace
