#include "fetch/segment_table.h"

#include <algorithm>

#include "base/check.h"

namespace millrace {

namespace {

bool Fits32(std::int64_t value) { return value >= 0 && value < UINT32_MAX; }
bool Fits32(std::uint64_t value) { return value < UINT32_MAX; }

}  // namespace

std::size_t SegmentTable::memory_bytes() const {
  std::size_t bytes = bases_.capacity() * sizeof(Offset) + chunks_.capacity() * sizeof(chunks_[0]) +
                      wide_.size() * (sizeof(SegmentRow) + 48);
  for (const auto& chunk : chunks_) bytes += sizeof(Chunk) + chunk->rows.capacity() * sizeof(Packed);
  return bytes;
}

void SegmentTable::Append(const SegmentRow& row) {
  MR_CHECK(empty() || row.base == end_, row.base.value(), end_.value());
  MR_CHECK(row.base < row.end, row.base.value(), row.end.value());
  if (chunks_.empty() || chunks_.back()->rows.size() == kChunkRows || !Fits32(row.base - chunks_.back()->base)) {
    if (!chunks_.empty()) chunks_.back()->rows.shrink_to_fit();
    chunks_.push_back(std::make_unique<Chunk>(Chunk{.base = row.base, .timestamp_max_ms = row.timestamp_max_ms}));
    bases_.push_back(row.base);
  }
  Chunk& chunk = *chunks_.back();
  chunk.timestamp_max_ms = std::max(chunk.timestamp_max_ms, row.timestamp_max_ms);
  const std::int64_t span = row.timestamp_max_ms / 2 - row.timestamp_min_ms / 2;  // halves, so that nothing overflows
  const bool packs =
      Fits32(row.byte_begin) && Fits32(row.byte_size) && Fits32(row.records) && span >= 0 && span < INT32_MAX - 1;
  Packed packed{
      .object = row.object,
      .timestamp_max_low = static_cast<std::uint32_t>(row.timestamp_max_ms),
      .timestamp_max_high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(row.timestamp_max_ms) >> 32),
      .base_delta = static_cast<std::uint32_t>(row.base - chunk.base),
      .byte_begin = 0,
      .byte_size = 0,
      .records = 0,
      .timestamp_span_ms = kWide};
  if (packs) {
    packed.byte_begin = static_cast<std::uint32_t>(row.byte_begin);
    packed.byte_size = static_cast<std::uint32_t>(row.byte_size);
    packed.records = static_cast<std::uint32_t>(row.records);
    packed.timestamp_span_ms = static_cast<std::uint32_t>(row.timestamp_max_ms - row.timestamp_min_ms);
  } else {
    wide_.insert_or_assign(row.base, row);
  }
  chunk.rows.push_back(packed);
  end_ = row.end;
  ++count_;
}

std::size_t SegmentTable::FindRow(const Chunk& chunk, Offset offset) const {
  const std::uint32_t wanted = static_cast<std::uint32_t>(std::clamp<std::int64_t>(offset - chunk.base, 0, UINT32_MAX));
  std::size_t low = chunk.first, high = chunk.rows.size();  // the row is in [low, high), low at or below it
  // Segments of a partition are much alike, so a guess along a straight line lands beside the row.
  const std::uint32_t last = chunk.rows.back().base_delta;
  if (last > 0) {
    const std::size_t guess =
        std::clamp<std::size_t>(std::uint64_t{std::min(wanted, last)} * (chunk.rows.size() - 1) / last, low, high - 1);
    constexpr std::size_t kNear = 2;
    if (chunk.rows[guess].base_delta <= wanted) {
      low = guess;
      if (guess + kNear < high && chunk.rows[guess + kNear].base_delta > wanted) high = guess + kNear;
    } else {
      high = guess;
      if (guess >= low + kNear && chunk.rows[guess - kNear].base_delta <= wanted) low = guess - kNear;
    }
  }
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (chunk.rows[middle].base_delta <= wanted ? low : high) = middle;
  }
  return low;
}

Offset SegmentTable::EndOf(std::size_t chunk, std::size_t row) const {
  const Chunk& at = *chunks_[chunk];
  if (row + 1 < at.rows.size()) return at.base + at.rows[row + 1].base_delta;
  return chunk + 1 < bases_.size() ? bases_[chunk + 1] : end_;
}

SegmentRow SegmentTable::Unpack(std::size_t chunk, std::size_t row) const {
  const Chunk& at = *chunks_[chunk];
  const Packed& packed = at.rows[row];
  const Offset base = at.base + packed.base_delta;
  if (packed.timestamp_span_ms == kWide) return wide_.at(base);
  return {.partition = partition_,
          .base = base,
          .end = EndOf(chunk, row),
          .object = packed.object,
          .byte_begin = packed.byte_begin,
          .byte_size = packed.byte_size,
          .records = packed.records,
          .timestamp_min_ms = packed.timestamp_max_ms() - packed.timestamp_span_ms,
          .timestamp_max_ms = packed.timestamp_max_ms()};
}

std::optional<SegmentRow> SegmentTable::Find(Offset offset) const {
  if (empty() || offset >= end_) return std::nullopt;
  const auto above = std::upper_bound(bases_.begin(), bases_.end(), offset);
  const std::size_t chunk = above == bases_.begin() ? 0 : static_cast<std::size_t>(above - bases_.begin()) - 1;
  return Unpack(chunk, FindRow(*chunks_[chunk], offset));
}

std::optional<SegmentRow> SegmentTable::FindByTime(std::int64_t timestamp_ms, Offset from) const {
  if (empty() || from >= end_) return std::nullopt;
  const auto above = std::upper_bound(bases_.begin(), bases_.end(), from);
  std::size_t chunk = above == bases_.begin() ? 0 : static_cast<std::size_t>(above - bases_.begin()) - 1;
  std::size_t row = FindRow(*chunks_[chunk], from);
  for (; chunk < chunks_.size(); ++chunk, row = chunk < chunks_.size() ? chunks_[chunk]->first : 0) {
    const Chunk& at = *chunks_[chunk];
    if (at.timestamp_max_ms < timestamp_ms) continue;
    for (; row < at.rows.size(); ++row) {
      if (at.rows[row].timestamp_max_ms() < timestamp_ms) continue;
      if (const SegmentRow found = Unpack(chunk, row); !found.is_gap()) return found;
    }
  }
  return std::nullopt;
}

void SegmentTable::DropBelow(Offset offset) {
  std::size_t whole = 0;  // chunks that go
  while (whole < chunks_.size() && EndOf(whole, chunks_[whole]->rows.size() - 1) <= offset) {
    count_ -= chunks_[whole]->rows.size() - chunks_[whole]->first;
    ++whole;
  }
  chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(whole));
  bases_.erase(bases_.begin(), bases_.begin() + static_cast<std::ptrdiff_t>(whole));
  if (!chunks_.empty()) {
    Chunk& chunk = *chunks_.front();
    while (EndOf(0, chunk.first) <= offset) {
      ++chunk.first;
      --count_;
    }
  }
  const Offset first =
      chunks_.empty() ? offset : chunks_.front()->base + chunks_.front()->rows[chunks_.front()->first].base_delta;
  wide_.erase(wide_.begin(), wide_.lower_bound(first));
}

void SegmentTable::Clear() {
  bases_.clear();
  chunks_.clear();
  wide_.clear();
  count_ = 0;
}

}  // namespace millrace
