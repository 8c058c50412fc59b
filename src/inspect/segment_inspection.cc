#include "inspect/segment_inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/coding.h"
#include "base/crc32c.h"
#include "segment/object_directory.h"
#include "segment/segment_format.h"
#include "segment/segment_reader.h"

namespace millrace {
namespace {

namespace format = segment_format;

template <class T>
T Get(std::span<const std::byte> bytes, std::size_t at) {
  return GetLe<T>(bytes.data() + at);
}

bool HasMagic(std::span<const std::byte> bytes, const format::Magic& magic) {
  return bytes.size() >= magic.size() && std::ranges::equal(bytes.first(magic.size()), magic);
}

std::string CrcReason(std::string_view what, std::uint32_t stored, std::uint32_t found) {
  return fmt::format("{} fails its CRC (stored {:08x}, found {:08x})", what, stored, found);
}

bool FooterIsSound(std::span<const std::byte> foot) {
  return HasMagic(foot.subspan(format::footer::kMagic), format::kFooterMagic) &&
         Get<std::uint32_t>(foot, format::footer::kCrc) == Crc32c(foot.first(format::footer::kCrc));
}

class OneSegment {
 public:
  OneSegment(const SharedBytes& object, const SegmentExtent& extent, RecordsShown records, InspectionReport& report)
      : object_(object), extent_(extent), records_(records), report_(report) {}

  void Inspect() {
    ReadIndex();
    std::uint64_t at = extent_.begin;
    for (std::size_t number = 0; at < blocks_end_; ++number) at = Block(number, at);
    for (std::size_t i = 0; i < entries_.size(); ++i) Entry(i);
    Footer();
  }

 private:
  [[nodiscard]] std::span<const std::byte> At(std::uint64_t begin, std::uint64_t length) const {
    return object_.bytes().subspan(begin, length);
  }

  /// Finds the index, and believes its lengths only if its CRC is right.
  void ReadIndex() {
    blocks_end_ = extent_.end;
    if (!extent_.footer_is_sound) return;
    foot_ = At(extent_.end - format::footer::kBytes, format::footer::kBytes);
    std::uint64_t count = Get<std::uint32_t>(foot_, format::footer::kBlocks);
    std::uint64_t room = extent_.end - extent_.begin - format::footer::kBytes;
    if (count * format::entry::kBytes > room) return;
    index_begin_ = extent_.end - format::footer::kBytes - count * format::entry::kBytes;
    blocks_end_ = index_begin_;
    auto index = At(index_begin_, count * format::entry::kBytes);
    index_crc_ = Crc32c(index);
    index_is_sound_ = index_crc_ == Get<std::uint32_t>(foot_, format::footer::kIndexCrc);
    for (std::uint64_t i = 0; i < count; ++i) {
      entries_.push_back(index.subspan(i * format::entry::kBytes, format::entry::kBytes));
    }
  }

  /// Returns where the next one begins.
  std::uint64_t Block(std::size_t number, std::uint64_t at) {
    std::uint64_t room = blocks_end_ - at;
    std::uint64_t size = room;
    bool by_index = index_is_sound_ && number < entries_.size();
    if (by_index)
      size = std::min<std::uint64_t>(room, Get<std::uint32_t>(entries_[number], format::entry::kBlockBytes));
    bool blind = foot_.empty() && number > 0;  // nothing tells where the blocks end and the index begins
    if (blind && !HasMagic(At(at, std::min<std::uint64_t>(room, 4)), format::kBlockMagic)) {
      unread_begin_ = at;
      return blocks_end_;
    }
    if (room < format::block::kHeaderBytes || !HasMagic(At(at, 4), format::kBlockMagic)) {
      report_.Damage({at, at + std::max<std::uint64_t>(size, 1)},
                     fmt::format("no block begins here (block {})", number));
      return at + std::max<std::uint64_t>(size, 1);
    }
    auto head = At(at, format::block::kHeaderBytes);
    std::uint64_t stored = format::block::kHeaderBytes + Get<std::uint32_t>(head, format::block::kStoredBytes);
    if (!by_index) size = std::min(room, stored);
    FileRange range{at, at + size};
    InspectedPiece piece{.kind = "block", .range = range};
    piece.Number("number", number).Number("codec", std::to_integer<int>(head[format::block::kCodec]));
    piece.Number("stored_bytes", Get<std::uint32_t>(head, format::block::kStoredBytes));
    piece.Number("raw_bytes", Get<std::uint32_t>(head, format::block::kRawBytes));
    piece.Crc("crc", Get<std::uint32_t>(head, format::block::kCrc));
    report_.Piece(piece);
    if (stored != size) {
      report_.Damage(range, fmt::format("block {} tells of {} bytes where it has {}", number, stored, size));
    } else {
      BlockContent(number, range);
    }
    return range.end;
  }

  void BlockContent(std::size_t number, FileRange range) {
    auto bytes = At(range.begin, range.end - range.begin);
    std::uint32_t stored_crc = Get<std::uint32_t>(bytes, format::block::kCrc);
    std::uint32_t found = Crc32c(bytes.subspan(format::block::kHeaderBytes), Crc32c(bytes.first(format::block::kCrc)));
    if (stored_crc != found) {
      report_.Damage(range, CrcReason(fmt::format("block {}", number), stored_crc, found));
      return;
    }
    SegmentBlock block{.byte_begin = range.begin - extent_.begin,
                       .stored_bytes = static_cast<std::uint32_t>(bytes.size()),
                       .raw_bytes = Get<std::uint32_t>(bytes, format::block::kRawBytes),
                       .crc = stored_crc};
    auto raw = OpenBlock(block, object_.Slice(range.begin, bytes.size()));
    if (!raw) {
      report_.Damage(range, raw.error().message());
      return;
    }
    bool inflated = raw->data() < bytes.data() || raw->data() >= bytes.data() + bytes.size();
    FileRange inside = inflated ? range : FileRange{range.begin + format::block::kHeaderBytes, range.end};
    InspectBatches(*raw, {inside, inflated}, records_, report_);
  }

  void Entry(std::size_t number) {
    auto bytes = entries_[number];
    std::uint64_t begin = index_begin_ + number * format::entry::kBytes;
    InspectedPiece piece{.kind = "index_entry", .range = {begin, begin + format::entry::kBytes}};
    piece.Number("number", number).Number("base", Get<std::int64_t>(bytes, format::entry::kBase));
    piece.Number("end", Get<std::int64_t>(bytes, format::entry::kEnd));
    piece.Number("timestamp_min_ms", Get<std::int64_t>(bytes, format::entry::kTimestampMin));
    piece.Number("timestamp_max_ms", Get<std::int64_t>(bytes, format::entry::kTimestampMax));
    piece.Number("block_bytes", Get<std::uint32_t>(bytes, format::entry::kBlockBytes));
    piece.Number("raw_bytes", Get<std::uint32_t>(bytes, format::entry::kRawBytes));
    piece.Crc("block_crc", Get<std::uint32_t>(bytes, format::entry::kBlockCrc));
    piece.Number("records", Get<std::uint32_t>(bytes, format::entry::kRecords));
    report_.Piece(piece);
  }

  void Footer() {
    if (foot_.empty()) {
      std::uint64_t size = std::min<std::uint64_t>(extent_.end - extent_.begin, format::footer::kBytes);
      report_.Damage({unread_begin_.value_or(extent_.end - size), extent_.end},
                     "no sound footer ends here, and without it the index cannot be found");
      return;
    }
    if (!index_is_sound_) {
      report_.Damage({index_begin_, extent_.end - format::footer::kBytes},
                     CrcReason("the index", Get<std::uint32_t>(foot_, format::footer::kIndexCrc), index_crc_));
    }
    InspectedPiece piece{.kind = "footer", .range = {extent_.end - format::footer::kBytes, extent_.end}};
    piece.Number("topic", Get<std::int64_t>(foot_, format::footer::kTopic));
    piece.Number("partition", Get<std::int32_t>(foot_, format::footer::kPartition));
    piece.Number("blocks", Get<std::uint32_t>(foot_, format::footer::kBlocks));
    piece.Number("base", Get<std::int64_t>(foot_, format::footer::kBase));
    piece.Number("end", Get<std::int64_t>(foot_, format::footer::kEnd));
    piece.Number("timestamp_min_ms", Get<std::int64_t>(foot_, format::footer::kTimestampMin));
    piece.Number("timestamp_max_ms", Get<std::int64_t>(foot_, format::footer::kTimestampMax));
    piece.Number("records", Get<std::uint64_t>(foot_, format::footer::kRecords));
    piece.Number("segment_bytes", Get<std::uint64_t>(foot_, format::footer::kSegmentBytes));
    piece.Crc("index_crc", Get<std::uint32_t>(foot_, format::footer::kIndexCrc));
    piece.Number("version", Get<std::uint32_t>(foot_, format::footer::kVersion));
    piece.Crc("crc", Get<std::uint32_t>(foot_, format::footer::kCrc));
    report_.Piece(piece);
  }

  const SharedBytes& object_;
  const SegmentExtent extent_;
  const RecordsShown records_;
  InspectionReport& report_;
  std::span<const std::byte> foot_;
  std::vector<std::span<const std::byte>> entries_;
  std::optional<std::uint64_t> unread_begin_;  // where a walk without an index ended
  std::uint64_t index_begin_ = 0, blocks_end_ = 0;
  std::uint32_t index_crc_ = 0;
  bool index_is_sound_ = false;
};

/// Where the segments of an object end: its directory, if it has one, stands behind them.
std::uint64_t SegmentsEnd(std::span<const std::byte> bytes) {
  const std::uint64_t told = DirectoryBytes(bytes).value_or(0);
  return told <= bytes.size() ? bytes.size() - told : bytes.size();
}

void InspectShare(const DirectoryShare& share, FileRange range, InspectionReport& report) {
  InspectedPiece head{.kind = "directory_share", .range = range};
  head.Number("entry", share.entry).Number("producers", share.told.producers.size());
  head.Number("left_out", share.told.left_out);
  report.Piece(head, 1);
  for (const ProducerWindow& producer : share.told.producers) {
    InspectedPiece piece{.kind = "directory_producer", .range = range};
    piece.Number("id", producer.id).Number("epoch", producer.epoch);
    piece.Number("batches", producer.known().size()).Number("first", producer.known().front().first);
    piece.Number("last", producer.known().back().last).Number("base", producer.known().front().base.value());
    piece.Number("end", producer.known().back().end().value());
    report.Piece(piece, 2);
  }
}

void InspectDirectory(std::span<const std::byte> bytes, FileRange range, InspectionReport& report) {
  const auto directory = DecodeObjectDirectory(bytes);
  if (!directory) {
    report.Damage(range, directory.error().message());
    return;
  }
  InspectedPiece head{.kind = "directory", .range = range};
  head.Text("identity", TextOf(directory->identity)).Number("generation", directory->generation);
  head.Crc("nonce", directory->nonce).Number("sequence", directory->sequence);
  head.Number("settled", directory->settled).Number("written_ms", directory->written_ms);
  report.Piece(head);
  for (const ObjectEntry& entry : directory->entries) {
    InspectedPiece piece{.kind = "directory_entry", .range = range};
    piece.Text("topic", directory->topics[entry.topic].name).Number("partition", entry.partition.value());
    piece.Number("epoch", entry.epoch.value()).Number("byte_begin", entry.byte_begin);
    piece.Number("byte_size", entry.byte_size).Number("base", entry.base.value()).Number("end", entry.end.value());
    piece.Number("records", entry.records).Number("log_start", entry.log_start.value());
    piece.Number("ceiling", entry.ceiling.value());
    report.Piece(piece, 1);
  }
  for (const DirectoryShare& share : directory->shares) InspectShare(share, range, report);
}

}  // namespace

bool LooksLikeSegment(std::span<const std::byte> bytes) {
  return HasMagic(bytes, format::kBlockMagic) || DirectoryBytes(bytes) ||
         (bytes.size() >= 4 && HasMagic(bytes.last(4), format::kFooterMagic));
}

std::vector<SegmentExtent> FindSegments(std::span<const std::byte> bytes) {
  std::vector<SegmentExtent> extents;
  std::uint64_t end = SegmentsEnd(bytes);
  while (end > 0) {
    SegmentExtent extent{.end = end};
    if (end >= format::kSegmentBytesMin) {
      auto foot = bytes.subspan(end - format::footer::kBytes, format::footer::kBytes);
      std::uint64_t size = Get<std::uint64_t>(foot, format::footer::kSegmentBytes);
      extent.footer_is_sound = FooterIsSound(foot) && size >= format::kSegmentBytesMin && size <= end;
      if (extent.footer_is_sound) extent.begin = end - size;
    }
    extents.push_back(extent);
    end = extent.begin;
  }
  std::ranges::reverse(extents);
  return extents;
}

void InspectSegments(const SharedBytes& bytes, RecordsShown records, InspectionReport& report) {
  for (const SegmentExtent& extent : FindSegments(bytes)) OneSegment(bytes, extent, records, report).Inspect();
  const std::uint64_t end = SegmentsEnd(bytes);
  if (DirectoryBytes(bytes)) InspectDirectory(bytes.bytes().subspan(end), {end, bytes.size()}, report);
}

}  // namespace millrace
