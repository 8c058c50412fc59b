#include "cursor/cursor_read_ahead.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "record/record_batch_view.h"
#include "record/record_walk.h"

namespace millrace {
namespace {

constexpr std::size_t kInflatedBytesMax = std::size_t{1} << 30;  // as any read has it: a guard against bytes that lie

}  // namespace

std::uint64_t EntryView::PayloadBytes() const {
  std::uint64_t bytes = raw.key.value_or("").size() + raw.value.value_or("").size();
  if (!raw.headers.empty()) [[unlikely]]
    for (const HeaderView& header : RecordView(offset, timestamp_ms, {}, {}, raw.headers, nullptr).Headers())
      bytes += header.key.size() + header.value.value_or("").size();
  return bytes;
}

void EntryView::CopyTo(Record& record) const {
  record.offset = offset;
  record.timestamp_ms = timestamp_ms;
  if (raw.key) record.key.emplace(*raw.key);
  if (raw.value) record.value.emplace(*raw.value);
  if (!raw.headers.empty()) [[unlikely]]
    record.headers = RecordView(offset, timestamp_ms, {}, {}, raw.headers, nullptr).ToRecord().headers;
}

void CursorReadAhead::Reset(Offset position) {
  batches_.clear();
  front_ = Walk();
  from_ = next_read_ = position;
}

void CursorReadAhead::Append(BatchReadResult read) {
  if (front_.batch_ == batches_.size()) {
    batches_.clear();
    front_ = Walk();
  }
  batches_.reserve(batches_.size() + read.batches.size());
  for (SharedBytes& batch : read.batches) batches_.push_back({std::move(batch), {}});
  next_read_ = std::max(next_read_, read.next);
}

Result<bool> CursorReadAhead::Find(Walk& walk) {
  for (;;) {
    if (!walk.opened_) {
      if (walk.batch_ == batches_.size()) return false;
      if (auto opened = OpenBatch(walk); !opened) return Damage(walk, opened.error());
    }
    while (walk.left_ > 0) {
      RawRecord& raw = walk.entry_.raw;
      const std::byte* const next = ReadRawRecord(walk.at_, walk.end_, raw);
      std::int64_t timestamp_ms = 0;
      if (next == nullptr || raw.offset_delta <= walk.previous_delta_ || raw.offset_delta > walk.last_delta_ ||
          __builtin_add_overflow(walk.base_timestamp_ms_, raw.timestamp_delta, &timestamp_ms)) [[unlikely]]
        return Damage(walk, Error(ErrorCode::kCorruption, "a record of the batch is malformed"));
      walk.at_ = next;
      walk.previous_delta_ = raw.offset_delta;
      --walk.left_;
      walk.entry_.offset = walk.base_ + raw.offset_delta;
      walk.entry_.timestamp_ms = walk.log_append_time_ ? walk.max_timestamp_ms_ : timestamp_ms;
      if (walk.entry_.offset < from_) continue;
      walk.looked_ = true;
      return true;
    }
    if (walk.at_ != walk.end_) [[unlikely]]
      return Damage(walk, Error(ErrorCode::kCorruption, "bytes behind the records of the batch belong to none"));
    if (&walk == &front_) batches_[walk.batch_] = {};  // no walk comes back to it
    ++walk.batch_;
    walk.opened_ = false;
  }
}

Result<void> CursorReadAhead::OpenBatch(Walk& walk) {
  Batch& batch = batches_[walk.batch_];
  MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch.bytes));
  std::span<const std::byte> raw = view.stored_records();
  if (view.compression() != Compression::kNone) {
    if (batch.inflated.empty()) {
      MR_ASSIGN_OR_RETURN(batch.inflated, RawRecords(view, nullptr, kInflatedBytesMax));
    }
    raw = batch.inflated.bytes();
  }
  walk.at_ = raw.data();
  walk.end_ = raw.data() + raw.size();
  walk.left_ = view.record_count();
  walk.base_ = view.base_offset();
  walk.last_delta_ = static_cast<std::int32_t>(view.end_offset() - view.base_offset() - 1);
  walk.previous_delta_ = -1;
  walk.base_timestamp_ms_ = view.base_timestamp_ms();
  walk.max_timestamp_ms_ = view.max_timestamp_ms();
  walk.log_append_time_ = view.log_append_time();
  walk.opened_ = true;
  return {};
}

Error CursorReadAhead::Damage(const Walk& walk, const Error& error) const {
  const SharedBytes& bytes = batches_[walk.batch_].bytes;
  DamagedRange damage{.partition = partition_, .place = "record batch", .byte_begin = 0, .byte_end = bytes.size()};
  if (const auto view = RecordBatchView::Parse(bytes)) {
    damage.begin = std::max(from_, view->base_offset() + (walk.opened_ ? walk.previous_delta_ + 1 : 0));
    damage.end = view->end_offset();
  } else {
    damage.begin = from_;
    damage.end = next_read_;
  }
  return error.WithDamage(std::move(damage));
}

}  // namespace millrace
