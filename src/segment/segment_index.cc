#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "segment/segment_format.h"
#include "segment/segment_reader.h"

namespace millrace {

namespace entry = segment_format::entry;
namespace footer = segment_format::footer;

struct SegmentIndex::State {
  PartitionKey partition;
  Offset base, end;
  std::uint64_t records = 0;
  std::int64_t timestamp_min_ms = 0, timestamp_max_ms = 0;
  std::vector<SegmentBlock> blocks;
  // Largest timestamp of all blocks up to each one: ascending, so that a time can be looked up by halving.
  std::vector<std::int64_t> timestamp_max_so_far_ms;
};

namespace {

Error Damaged(ByteRange range, std::string_view why) {
  const std::uint64_t end = range.offset + range.length;
  return Error(ErrorCode::kCorruption, fmt::format("segment bytes [{}, {}): {}", range.offset, end, why))
      .WithDamage({.byte_begin = range.offset, .byte_end = end});
}

Result<SharedBytes> FetchExactly(BlockSource& source, ByteRange range) {
  MR_ASSIGN_OR_RETURN(SharedBytes bytes, source.Fetch(range));
  if (bytes.size() != range.length)
    return Damaged(range, fmt::format("{} bytes came when {} were asked for", bytes.size(), range.length));
  return bytes;
}

template <class T>
T Get(std::span<const std::byte> bytes, std::size_t at) {
  return GetLe<T>(bytes.data() + at);
}

/// Checks magic, CRC, version and size, in this order: a version is believed only under a right CRC.
Result<void> CheckFooter(std::span<const std::byte> bytes, std::uint64_t size_bytes) {
  const ByteRange range{size_bytes - footer::kBytes, footer::kBytes};
  if (!std::ranges::equal(bytes.subspan(footer::kMagic), segment_format::kFooterMagic))
    return Damaged(range, "the footer does not end with a segment's magic");
  const auto stored_crc = Get<std::uint32_t>(bytes, footer::kCrc);
  const std::uint32_t found_crc = Crc32c(bytes.first(footer::kCrc));
  if (stored_crc != found_crc)
    return Damaged(range, fmt::format("the footer fails its CRC (stored {:08x}, found {:08x})", stored_crc, found_crc));
  if (const auto version = Get<std::uint32_t>(bytes, footer::kVersion); version != segment_format::kVersion)
    return Error(ErrorCode::kUnsupported, fmt::format("segment format version {}; this program reads version {}",
                                                      version, segment_format::kVersion));
  if (const auto claimed = Get<std::uint64_t>(bytes, footer::kSegmentBytes); claimed != size_bytes)
    return Damaged(range, fmt::format("the footer tells of {} bytes, the segment has {}", claimed, size_bytes));
  return {};
}

/// Why `block` cannot stand where it does, or nothing.
std::optional<std::string_view> EntryFlaw(const SegmentBlock& block, Offset previous_end, std::uint64_t index_begin) {
  if (block.base < previous_end || block.end <= block.base) return "offsets out of order";
  if (block.timestamp_min_ms > block.timestamp_max_ms) return "times out of order";
  if (block.records == 0 || block.records > static_cast<std::uint64_t>(block.end - block.base))
    return "a count of records that does not fit its offsets";
  if (block.stored_bytes <= segment_format::block::kHeaderBytes || block.raw_bytes == 0) return "an empty block";
  if (block.stored_bytes > index_begin - block.byte_begin) return "a block that reaches into the index";
  return {};
}

}  // namespace

struct SegmentIndexLoader {
  using State = SegmentIndex::State;

  /// Fills `state` from a footer and index whose CRCs are right; what they say must agree all the same.
  static Result<void> Fill(State& state, std::span<const std::byte> foot, std::span<const std::byte> index,
                           std::uint64_t index_begin) {
    state.partition = {TopicId(Get<std::int64_t>(foot, footer::kTopic)),
                       PartitionId(Get<std::int32_t>(foot, footer::kPartition))};
    state.base = Offset(Get<std::int64_t>(foot, footer::kBase));
    state.end = Offset(Get<std::int64_t>(foot, footer::kEnd));
    state.records = Get<std::uint64_t>(foot, footer::kRecords);
    state.timestamp_min_ms = Get<std::int64_t>(foot, footer::kTimestampMin);
    state.timestamp_max_ms = Get<std::int64_t>(foot, footer::kTimestampMax);

    const std::size_t count = index.size() / entry::kBytes;
    state.blocks.reserve(count);
    state.timestamp_max_so_far_ms.reserve(count);
    Offset previous_end{0};
    std::uint64_t byte_begin = 0, records = 0;
    std::int64_t min_ms = std::numeric_limits<std::int64_t>::max(), max_ms = std::numeric_limits<std::int64_t>::min();
    for (std::size_t i = 0; i < count; ++i) {
      const auto bytes = index.subspan(i * entry::kBytes, entry::kBytes);
      const SegmentBlock block{.base = Offset(Get<std::int64_t>(bytes, entry::kBase)),
                               .end = Offset(Get<std::int64_t>(bytes, entry::kEnd)),
                               .timestamp_min_ms = Get<std::int64_t>(bytes, entry::kTimestampMin),
                               .timestamp_max_ms = Get<std::int64_t>(bytes, entry::kTimestampMax),
                               .byte_begin = byte_begin,
                               .stored_bytes = Get<std::uint32_t>(bytes, entry::kBlockBytes),
                               .raw_bytes = Get<std::uint32_t>(bytes, entry::kRawBytes),
                               .crc = Get<std::uint32_t>(bytes, entry::kBlockCrc),
                               .records = Get<std::uint32_t>(bytes, entry::kRecords)};
      if (const auto flaw = EntryFlaw(block, previous_end, index_begin))
        return Damaged({index_begin + i * entry::kBytes, entry::kBytes},
                       fmt::format("index entry {} has {}", i, *flaw));
      previous_end = block.end;
      byte_begin += block.stored_bytes;
      records += block.records;
      min_ms = std::min(min_ms, block.timestamp_min_ms);
      max_ms = std::max(max_ms, block.timestamp_max_ms);
      state.blocks.push_back(block);
      state.timestamp_max_so_far_ms.push_back(max_ms);
    }
    const bool agrees = byte_begin == index_begin && records == state.records && min_ms == state.timestamp_min_ms &&
                        max_ms == state.timestamp_max_ms && state.blocks.front().base == state.base &&
                        state.blocks.back().end == state.end;
    if (!agrees) return Damaged({index_begin, index.size() + footer::kBytes}, "footer and index disagree");
    return {};
  }
};

Result<std::shared_ptr<const SegmentIndex>> SegmentIndex::Load(BlockSource& source, std::uint64_t size_bytes,
                                                               std::uint64_t tail_guess_bytes) {
  if (size_bytes < segment_format::kSegmentBytesMin)
    return Damaged({0, size_bytes}, fmt::format("too short for a segment, which has at least {} bytes",
                                                segment_format::kSegmentBytesMin));
  const std::uint64_t tail_bytes = std::clamp<std::uint64_t>(tail_guess_bytes, footer::kBytes, size_bytes);
  MR_ASSIGN_OR_RETURN(const SharedBytes tail, FetchExactly(source, {size_bytes - tail_bytes, tail_bytes}));
  const auto foot = tail.bytes().last(footer::kBytes);
  MR_TRY(CheckFooter(foot, size_bytes));

  const std::uint64_t before_footer = size_bytes - footer::kBytes;
  const std::uint64_t index_bytes = std::uint64_t{Get<std::uint32_t>(foot, footer::kBlocks)} * entry::kBytes;
  if (index_bytes == 0 || index_bytes > before_footer)
    return Damaged({before_footer, footer::kBytes}, "the footer counts more blocks than there are bytes, or none");
  const std::uint64_t index_begin = before_footer - index_bytes;
  const ByteRange index_range{index_begin, index_bytes};
  SharedBytes index;
  if (index_bytes + footer::kBytes <= tail_bytes) {
    index = tail.Slice(tail_bytes - footer::kBytes - index_bytes, index_bytes);
  } else {
    MR_ASSIGN_OR_RETURN(index, FetchExactly(source, index_range));
  }
  const auto stored_crc = Get<std::uint32_t>(foot, footer::kIndexCrc);
  if (const std::uint32_t found_crc = Crc32c(index); stored_crc != found_crc)
    return Damaged(index_range,
                   fmt::format("the index fails its CRC (stored {:08x}, found {:08x})", stored_crc, found_crc));

  std::shared_ptr<SegmentIndex> loaded(new SegmentIndex);
  MR_TRY(SegmentIndexLoader::Fill(*loaded->state_, foot, index, index_begin));
  return loaded;
}

SegmentIndex::SegmentIndex() : state_(std::make_unique<State>()) {}
SegmentIndex::~SegmentIndex() = default;

PartitionKey SegmentIndex::partition() const { return state_->partition; }
Offset SegmentIndex::base() const { return state_->base; }
Offset SegmentIndex::end() const { return state_->end; }
std::uint64_t SegmentIndex::records() const { return state_->records; }
std::int64_t SegmentIndex::timestamp_min_ms() const { return state_->timestamp_min_ms; }
std::int64_t SegmentIndex::timestamp_max_ms() const { return state_->timestamp_max_ms; }
std::span<const SegmentBlock> SegmentIndex::blocks() const { return state_->blocks; }

std::size_t SegmentIndex::FindBlock(Offset offset) const {
  const auto found = std::ranges::upper_bound(state_->blocks, offset, {}, &SegmentBlock::end);
  return static_cast<std::size_t>(found - state_->blocks.begin());
}

std::size_t SegmentIndex::FindBlockByTime(std::int64_t timestamp_ms) const {
  const auto found = std::ranges::lower_bound(state_->timestamp_max_so_far_ms, timestamp_ms);
  return static_cast<std::size_t>(found - state_->timestamp_max_so_far_ms.begin());
}

std::size_t SegmentIndex::memory_bytes() const {
  return sizeof(SegmentIndex) + sizeof(State) +
         state_->blocks.capacity() * (sizeof(SegmentBlock) + sizeof(std::int64_t));
}

}  // namespace millrace
