// Goal: for any records, any codec and any place, a batch comes back as it was or not at all.
// Method: RapidCheck makes records, cuts, flips and begins. Proves B61 for one batch, B65, S24 and W25 for the codec.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "record/batch_validator.h"
#include "record/record_batch_builder.h"
#include "record/record_batch_layout.h"
#include "record/record_batch_view.h"
#include "record/varint.h"

namespace millrace {
namespace {

namespace layout = batch_layout;

rc::Gen<std::optional<std::string>> AnyBytes() {
  return rc::gen::map(rc::gen::pair(rc::gen::arbitrary<bool>(), rc::gen::arbitrary<std::string>()),
                      [](std::pair<bool, std::string> made) {
                        return made.first ? std::optional(std::move(made.second)) : std::nullopt;
                      });
}

std::vector<Record> AnyRecords() {
  const auto count = *rc::gen::inRange<std::size_t>(1, 30);
  std::vector<Record> records;
  for (std::size_t i = 0; i < count; ++i) {
    Record record{.offset = Offset(static_cast<std::int64_t>(i)),
                  .timestamp_ms = *rc::gen::inRange<std::int64_t>(1, std::int64_t{1} << 60),
                  .key = *AnyBytes(),
                  .value = *AnyBytes()};
    for (auto h = *rc::gen::inRange(0, 3); h > 0; --h)
      record.headers.push_back({*rc::gen::arbitrary<std::string>(), *AnyBytes()});
    records.push_back(std::move(record));
  }
  return records;
}

Compression AnyCodec() { return static_cast<Compression>(*rc::gen::inRange(0, 5)); }

SharedBytes BatchOf(std::span<const Record> records, Compression compression) {
  auto built = BuildRecordBatch(records, {.compression = compression});
  RC_ASSERT(built.has_value());
  return std::move(*built).Freeze();
}

RC_GTEST_PROP(RecordBatchProperties, WhatGoesInComesOut, ()) {
  const auto records = AnyRecords();
  const SharedBytes batch = BatchOf(records, AnyCodec());
  RC_ASSERT(ValidateBatch(batch, {}).has_value());
  std::vector<RecordView> views;
  const auto next = DecodeRecords(batch, {}, views);
  RC_ASSERT((next.has_value() && *next == Offset(static_cast<std::int64_t>(records.size()))));
  std::vector<Record> decoded;
  for (const RecordView& view : views) decoded.push_back(view.ToRecord());
  RC_ASSERT(decoded == records);
  const auto times = FindTimestampRange(*RecordBatchView::Parse(batch));
  const auto [min, max] = std::ranges::minmax(records, {}, &Record::timestamp_ms);
  RC_ASSERT((times->min_ms == min.timestamp_ms && times->max_ms == max.timestamp_ms));
}

RC_GTEST_PROP(RecordBatchProperties, ABatchOfOneSizeDecodesInAnyTwoSteps, ()) {
  const auto records = AnyRecords();
  const SharedBytes batch = BatchOf(records, AnyCodec());
  const auto first = *rc::gen::inRange<std::size_t>(0, records.size() + 1);
  std::vector<RecordView> views;
  const auto next = DecodeRecords(batch, {.records_max = first}, views);
  RC_ASSERT((next.has_value() && views.size() == first));
  RC_ASSERT(DecodeRecords(batch, {.from = *next}, views).has_value());
  RC_ASSERT(views.size() == records.size());
  for (std::size_t i = 0; i < views.size(); ++i) RC_ASSERT(views[i].ToRecord() == records[i]);
}

RC_GTEST_PROP(RecordBatchProperties, ACutIsRefused, ()) {
  const SharedBytes batch = BatchOf(AnyRecords(), AnyCodec());
  const auto size = *rc::gen::inRange<std::size_t>(0, batch.size());
  RC_ASSERT(ValidateBatch(batch.Slice(0, size), {}).error().code() == ErrorCode::kCorruption);
}

RC_GTEST_PROP(RecordBatchProperties, OneFlippedBitIsRefusedOrOutsideTheCrc, ()) {
  const SharedBytes batch = BatchOf(AnyRecords(), AnyCodec());
  const auto bit = *rc::gen::inRange<std::size_t>(0, batch.size() * 8);
  std::vector<std::byte> bytes(batch.bytes().begin(), batch.bytes().end());
  bytes[bit / 8] ^= std::byte(1U << (bit % 8));
  const bool stamped_later = bit / 8 < layout::kLength || (bit / 8 >= layout::kLeaderEpoch && bit / 8 < layout::kMagic);
  RC_ASSERT((stamped_later || !ValidateBatch(bytes, {}).has_value()));
}

template <class Signed>
void CheckVarint(Signed value) {
  std::byte bytes[kVarint64BytesMax];
  const std::byte* end = PutVarint(bytes, value);
  RC_ASSERT(static_cast<std::size_t>(end - bytes) == VarintSize(value));
  Signed read = 0;
  RC_ASSERT((ReadVarint(bytes, end, read) == end && read == value));
  for (const std::byte* cut = bytes; cut != end; ++cut) RC_ASSERT(ReadVarint(bytes, cut, read) == nullptr);
}

RC_GTEST_PROP(VarintProperties, RoundTripAndCut, (std::int64_t seed)) {
  const auto shift = *rc::gen::inRange(0, 64);  // all magnitudes alike
  CheckVarint(seed >> shift);
  CheckVarint(static_cast<std::int32_t>(seed >> shift));
}

RC_GTEST_PROP(VarintProperties, WhateverIsReadIsTheOnlyEncoding, (std::vector<std::uint8_t> made)) {
  const auto* begin = reinterpret_cast<const std::byte*>(made.data());
  std::int64_t value = 0;
  const std::byte* end = ReadVarint(begin, begin + made.size(), value);
  if (end == nullptr) return;
  std::byte bytes[kVarint64BytesMax];
  const std::byte* again = PutVarint(bytes, value);
  RC_ASSERT((std::equal(begin, end, bytes) && again - bytes == end - begin));
}

}  // namespace
}  // namespace millrace
