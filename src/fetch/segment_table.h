// Segments of one partition packed into memory: at most 48 bytes each, in pages, found by offset.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "millrace/metadata_store.h"

namespace millrace {

/// Rows ascend by base and follow each other without a gap. Not thread-safe.
class SegmentTable {
 public:
  explicit SegmentTable(const PartitionKey& partition) : partition_(partition) {}

  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// End of the last segment. Precondition: not empty.
  [[nodiscard]] Offset end() const { return end_; }
  [[nodiscard]] std::size_t memory_bytes() const;

  /// Precondition: empty, or row.base == end().
  void Append(const SegmentRow& row);
  /// The segment with base <= offset < end, the first one for what lies below; nothing past the last.
  [[nodiscard]] std::optional<SegmentRow> Find(Offset offset) const;
  /// The first segment, no gap, that ends above `from` and whose timestamp_max_ms is at or past `timestamp_ms`. Cost:
  /// one step for each page of 512.
  [[nodiscard]] std::optional<SegmentRow> FindByTime(std::int64_t timestamp_ms, Offset from) const;
  /// Drops segments that end at or below `offset`.
  void DropBelow(Offset offset);
  void Clear();

 private:
  static constexpr std::size_t kPageRows = 512;

  /// A row relative to its page. What does not fit (a segment beyond 4 GiB or 49 days, say) stands in `wide_`.
  struct Packed {
    ObjectId object;
    std::uint32_t timestamp_max_low, timestamp_max_high;  // halves, so that a row needs no padding
    std::uint32_t base_delta;                             // from the page's base
    std::uint32_t byte_begin, byte_size;
    std::uint32_t records;
    std::uint32_t timestamp_span_ms;  // kWide: the row stands in wide_

    [[nodiscard]] std::int64_t timestamp_max_ms() const {
      return static_cast<std::int64_t>(std::uint64_t{timestamp_max_high} << 32 | timestamp_max_low);
    }
  };
  static_assert(sizeof(Packed) == 44);
  static constexpr std::uint32_t kWide = UINT32_MAX;

  struct Page {
    Offset base;
    std::int64_t timestamp_max_ms = 0;
    std::size_t first = 0;  // rows before it were dropped
    std::vector<Packed> rows;
  };

  [[nodiscard]] std::size_t FindRow(const Page& page, Offset offset) const;
  [[nodiscard]] Offset EndOf(std::size_t page, std::size_t row) const;
  [[nodiscard]] SegmentRow Unpack(std::size_t page, std::size_t row) const;

  PartitionKey partition_;
  std::vector<Offset> bases_;  // of the pages: what a lookup touches first
  std::vector<std::unique_ptr<Page>> pages_;
  std::map<Offset, SegmentRow> wide_;
  Offset end_;
  std::size_t count_ = 0;
};

}  // namespace millrace
