#include "fetch/segment_table.h"

#include <algorithm>

#include "base/check.h"

namespace millrace {

namespace {

bool Fits32(std::int64_t value) { return value >= 0 && value < UINT32_MAX; }
bool Fits32(std::uint64_t value) { return value < UINT32_MAX; }

}  // namespace

std::size_t SegmentTable::memory_bytes() const {
  std::size_t bytes = bases_.capacity() * sizeof(Offset) + pages_.capacity() * sizeof(pages_[0]) +
                      wide_.size() * (sizeof(SegmentRow) + 48);
  for (const auto& page : pages_) bytes += sizeof(Page) + page->rows.capacity() * sizeof(Packed);
  return bytes;
}

void SegmentTable::Append(const SegmentRow& row) {
  MR_CHECK(empty() || row.base == end_, row.base.value(), end_.value());
  MR_CHECK(row.base < row.end, row.base.value(), row.end.value());
  if (pages_.empty() || pages_.back()->rows.size() == kPageRows || !Fits32(row.base - pages_.back()->base)) {
    if (!pages_.empty()) pages_.back()->rows.shrink_to_fit();
    pages_.push_back(std::make_unique<Page>(Page{.base = row.base, .timestamp_max_ms = row.timestamp_max_ms}));
    bases_.push_back(row.base);
  }
  Page& page = *pages_.back();
  page.timestamp_max_ms = std::max(page.timestamp_max_ms, row.timestamp_max_ms);
  const std::int64_t span = row.timestamp_max_ms / 2 - row.timestamp_min_ms / 2;  // halves, so that nothing overflows
  const bool packs =
      Fits32(row.byte_begin) && Fits32(row.byte_size) && Fits32(row.records) && span >= 0 && span < INT32_MAX - 1;
  Packed packed{
      .object = row.object,
      .timestamp_max_low = static_cast<std::uint32_t>(row.timestamp_max_ms),
      .timestamp_max_high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(row.timestamp_max_ms) >> 32),
      .base_delta = static_cast<std::uint32_t>(row.base - page.base),
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
  page.rows.push_back(packed);
  end_ = row.end;
  ++count_;
}

std::size_t SegmentTable::FindRow(const Page& page, Offset offset) const {
  const std::uint32_t wanted = static_cast<std::uint32_t>(std::clamp<std::int64_t>(offset - page.base, 0, UINT32_MAX));
  std::size_t low = page.first, high = page.rows.size();  // the row is in [low, high), low at or below it
  // Segments of a partition are much alike, so a guess along a straight line lands beside the row.
  const std::uint32_t last = page.rows.back().base_delta;
  if (last > 0) {
    const std::size_t guess =
        std::clamp<std::size_t>(std::uint64_t{std::min(wanted, last)} * (page.rows.size() - 1) / last, low, high - 1);
    constexpr std::size_t kNear = 2;
    if (page.rows[guess].base_delta <= wanted) {
      low = guess;
      if (guess + kNear < high && page.rows[guess + kNear].base_delta > wanted) high = guess + kNear;
    } else {
      high = guess;
      if (guess >= low + kNear && page.rows[guess - kNear].base_delta <= wanted) low = guess - kNear;
    }
  }
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (page.rows[middle].base_delta <= wanted ? low : high) = middle;
  }
  return low;
}

Offset SegmentTable::EndOf(std::size_t page, std::size_t row) const {
  const Page& at = *pages_[page];
  if (row + 1 < at.rows.size()) return at.base + at.rows[row + 1].base_delta;
  return page + 1 < bases_.size() ? bases_[page + 1] : end_;
}

SegmentRow SegmentTable::Unpack(std::size_t page, std::size_t row) const {
  const Page& at = *pages_[page];
  const Packed& packed = at.rows[row];
  const Offset base = at.base + packed.base_delta;
  if (packed.timestamp_span_ms == kWide) return wide_.at(base);
  return {.partition = partition_,
          .base = base,
          .end = EndOf(page, row),
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
  const std::size_t page = above == bases_.begin() ? 0 : static_cast<std::size_t>(above - bases_.begin()) - 1;
  return Unpack(page, FindRow(*pages_[page], offset));
}

std::optional<SegmentRow> SegmentTable::FindByTime(std::int64_t timestamp_ms, Offset from) const {
  if (empty() || from >= end_) return std::nullopt;
  const auto above = std::upper_bound(bases_.begin(), bases_.end(), from);
  std::size_t page = above == bases_.begin() ? 0 : static_cast<std::size_t>(above - bases_.begin()) - 1;
  std::size_t row = FindRow(*pages_[page], from);
  for (; page < pages_.size(); ++page, row = page < pages_.size() ? pages_[page]->first : 0) {
    const Page& at = *pages_[page];
    if (at.timestamp_max_ms < timestamp_ms) continue;
    for (; row < at.rows.size(); ++row) {
      if (at.rows[row].timestamp_max_ms() < timestamp_ms) continue;
      if (const SegmentRow found = Unpack(page, row); !found.is_gap()) return found;
    }
  }
  return std::nullopt;
}

void SegmentTable::DropBelow(Offset offset) {
  std::size_t whole = 0;  // pages that go
  while (whole < pages_.size() && EndOf(whole, pages_[whole]->rows.size() - 1) <= offset) {
    count_ -= pages_[whole]->rows.size() - pages_[whole]->first;
    ++whole;
  }
  pages_.erase(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(whole));
  bases_.erase(bases_.begin(), bases_.begin() + static_cast<std::ptrdiff_t>(whole));
  if (!pages_.empty()) {
    Page& page = *pages_.front();
    while (EndOf(0, page.first) <= offset) {
      ++page.first;
      --count_;
    }
  }
  const Offset first =
      pages_.empty() ? offset : pages_.front()->base + pages_.front()->rows[pages_.front()->first].base_delta;
  wide_.erase(wide_.begin(), wide_.lower_bound(first));
}

void SegmentTable::Clear() {
  bases_.clear();
  pages_.clear();
  wide_.clear();
  count_ = 0;
}

}  // namespace millrace
