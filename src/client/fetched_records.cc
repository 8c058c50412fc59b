#include "client/fetched_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>

#include "base/coding.h"
#include "base/try.h"
#include "client/partition_name.h"
#include "record/record_batch_layout.h"
#include "record/record_batch_view.h"

namespace millrace::client {
namespace {

// Of one batch when inflated: well above what servers take, as a guard against bytes that lie.
constexpr std::size_t kInflatedBytesMax = 256 << 20;

/// Where a batch ends that a compaction has left without records; none if it is another one.
std::optional<Offset> EndOfEmpty(std::span<const std::byte> batch) {
  namespace layout = batch_layout;
  const auto base = GetBe<std::int64_t>(batch.data() + layout::kBaseOffset);
  const auto delta = GetBe<std::int32_t>(batch.data() + layout::kLastOffsetDelta);
  const bool empty = GetBe<std::int8_t>(batch.data() + layout::kMagic) == layout::kMagicV2 &&
                     GetBe<std::int32_t>(batch.data() + layout::kRecordCount) == 0 && base >= 0 && delta >= 0 &&
                     base < std::numeric_limits<std::int64_t>::max() - delta;
  if (!empty) return std::nullopt;
  return Offset(base) + delta + 1;
}

/// Takes one whole batch off the front of `rest`; empty if there is none.
SharedBytes TakeBatch(SharedBytes& rest) {
  if (rest.size() < kBatchHeaderBytes) return {};
  const auto length = GetBe<std::int32_t>(rest.data() + batch_layout::kLength);
  // A length below zero is no cut: the batch is refused by its own check.
  const std::size_t size = length < 0 ? kBatchHeaderBytes : kBatchLengthPrefixBytes + static_cast<std::size_t>(length);
  if (size > rest.size() || size < kBatchHeaderBytes) return length < 0 ? rest : SharedBytes();
  SharedBytes batch = rest.Slice(0, size);
  rest = rest.Slice(size, rest.size() - size);
  return batch;
}

class Decoding {
 public:
  Decoding(const TopicPartition& partition, Offset begin, const ReadLimits& limits, ReadResult& result)
      : partition_(partition), begin_(begin), limits_(limits), result_(result) {}

  /// False: no further batch is wanted.
  Result<bool> Take(const SharedBytes& batch) {
    if (const auto end = EndOfEmpty(batch.bytes())) return StepTo(*end);
    auto view = RecordBatchView::Parse(batch.bytes());
    if (!view) return view.error().WithContext(Place());
    if (view->end_offset() <= result_.next) return true;
    if (auto right = view->VerifyCrc(); !right) return Damaged(*view, right.error());
    if (view->control()) return StepTo(view->end_offset());
    const std::size_t room = limits_.records_max - result_.records.size();
    const auto next = DecodeRecords(
        batch, {.from = result_.next, .records_max = room, .decoded_bytes_max = kInflatedBytesMax}, result_.records);
    if (!next) return Damaged(*view, next.error());
    result_.next = std::max(result_.next, *next);
    return result_.records.size() < limits_.records_max;
  }

 private:
  Result<bool> StepTo(Offset end) {
    result_.next = std::max(result_.next, end);
    return true;
  }

  Result<bool> Damaged(const RecordBatchView& view, const Error& error) {
    const DamagedRange damage{
        partition_,       std::max(result_.next, view.base_offset()), view.end_offset(), "record batch", 0,
        view.size_bytes()};
    if (limits_.on_damage == OnDamage::kSkip) {
      result_.skipped.push_back(damage);
      return StepTo(damage.end);
    }
    if (result_.next == begin_) return error.WithContext(Place()).WithDamage(damage);
    return false;  // what stands before it is delivered first
  }

  [[nodiscard]] std::string Place() const {
    return fmt::format("{} at offset {}", PartitionName(partition_), result_.next.value());
  }

  const TopicPartition& partition_;
  const Offset begin_;
  const ReadLimits& limits_;
  ReadResult& result_;
};

}  // namespace

Result<ReadResult> DecodeFetched(const Fetched& fetched, const TopicPartition& partition, Offset begin,
                                 const ReadLimits& limits) {
  ReadResult result{.next = begin, .high_watermark = fetched.high_watermark, .log_start = fetched.log_start};
  if (limits.records_max == 0) return result;
  Decoding decoding(partition, begin, limits, result);
  for (SharedBytes rest = fetched.batches;;) {
    const SharedBytes batch = TakeBatch(rest);
    if (batch.empty()) break;
    MR_ASSIGN_OR_RETURN(const bool more, decoding.Take(batch));
    if (!more) break;
  }
  if (result.next == begin && !fetched.batches.empty())
    return Error(ErrorCode::kCorruption, fmt::format("{}: the {} bytes that the server sent hold nothing of offset {}",
                                                     PartitionName(partition), fetched.batches.size(), begin.value()));
  return result;
}

}  // namespace millrace::client
