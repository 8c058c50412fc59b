#include "tier/snapshot_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "meta/row_codec.h"
#include "meta/topic_rules.h"
#include "segment/block_codec.h"
#include "segment/producer_codec.h"
#include "segment/segment_format.h"
#include "segment/segment_reader.h"

namespace millrace {
namespace {

namespace block = segment_format::block;

constexpr std::string_view kMagic = "MRSN", kEndMagic = "MRSE";
constexpr std::size_t kHeadBytes = 68, kEndBytes = 24;
constexpr std::uint32_t kRowsWithoutProducers = 2;
constexpr std::byte kProducerRow{128};         // no table of metadata
constexpr std::size_t kBlockRaw = 1 << 20;     // a block is closed when it has so much
constexpr std::size_t kBlockRawMax = 8 << 20;  // and a row is never so large that it would hold more

namespace head_at {
constexpr std::size_t kVersion = 4, kIdentity = 8, kGeneration = 24, kNonce = 28, kChange = 32, kSettled = 40,
                      kWritten = 48, kRowsVersion = 56, kZero = 60, kCrc = 64;
}  // namespace head_at
namespace producer_at {
constexpr std::size_t kTopic = 1, kPartition = 9, kTouched = 13, kProducer = 21;
}  // namespace producer_at
namespace end_at {
constexpr std::size_t kBlocks = 4, kRows = 8, kBlocksCrc = 16, kCrc = 20;
}  // namespace end_at

std::uint32_t JoinedCrc(std::uint32_t so_far, std::uint32_t crc) {
  std::array<std::byte, 4> bytes;
  PutLe(bytes.data(), crc);
  return Crc32c(bytes, so_far);
}

Error Damaged(std::string why, std::size_t begin, std::size_t end) {
  return Error(ErrorCode::kCorruption, "the snapshot " + std::move(why))
      .WithDamage({.place = "snapshot", .byte_begin = begin, .byte_end = end});
}

template <class T>
T Get(std::span<const std::byte> bytes, std::size_t at) {
  return GetLe<T>(bytes.data() + at);
}

Result<SnapshotHead> DecodeHead(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeadBytes + kEndBytes || AsText(bytes.first(kMagic.size())) != kMagic)
    return Damaged("does not begin as one", 0, bytes.size());
  if (Get<std::uint32_t>(bytes, head_at::kCrc) != Crc32c(bytes.first(head_at::kCrc)))
    return Damaged("fails the CRC of its head", 0, kHeadBytes);
  const auto version = Get<std::uint32_t>(bytes, head_at::kVersion);
  const auto rows = Get<std::uint32_t>(bytes, head_at::kRowsVersion);
  if (version != kSnapshotVersion || rows == 0 || rows > kSnapshotRowsVersion)
    return Error(
        ErrorCode::kUnsupported,
        fmt::format("a snapshot has format version {} and rows of version {}, this release knows {} and 1 to {}",
                    version, rows, kSnapshotVersion, kSnapshotRowsVersion));
  SnapshotHead head{.generation = Get<std::uint32_t>(bytes, head_at::kGeneration),
                    .nonce = Get<std::uint32_t>(bytes, head_at::kNonce),
                    .change = Get<std::int64_t>(bytes, head_at::kChange),
                    .settled = Get<std::uint64_t>(bytes, head_at::kSettled),
                    .written_ms = Get<std::int64_t>(bytes, head_at::kWritten)};
  std::memcpy(head.identity.data(), bytes.data() + head_at::kIdentity, head.identity.size());
  return head;
}

void Take(Snapshot& to, StoreRow row) { to.store.push_back(std::move(row)); }
void Take(Snapshot& to, TopicRow row) { to.topics.push_back(std::move(row)); }
void Take(Snapshot& to, PartitionRow row) { to.partitions.push_back(row); }
void Take(Snapshot& to, ObjectRow row) { to.objects.push_back(std::move(row)); }
void Take(Snapshot& to, SegmentRow row) { to.segments.push_back(row); }
void Take(Snapshot& to, PositionRow row) { to.positions.push_back(std::move(row)); }
void Take(Snapshot& to, EpochRow row) { to.epochs.push_back(row); }
void Take(Snapshot& to, GroupRow row) { to.groups.push_back(std::move(row)); }
void Take(Snapshot& to, GroupMemberRow row) { to.members.push_back(std::move(row)); }
void Take(Snapshot&, const RemovalRow&) {}  // what is left of a topic without partitions goes anyway

std::vector<std::byte> EncodeProducerRow(const KnownProducer& producer) {
  std::vector<std::byte> row(producer_at::kProducer);
  row[0] = kProducerRow;
  PutLe(row.data() + producer_at::kTopic, std::int64_t{producer.partition.topic.value()});
  PutLe(row.data() + producer_at::kPartition, std::int32_t{producer.partition.partition.value()});
  PutLe(row.data() + producer_at::kTouched, producer.touched_ms);
  PutProducer(producer.window, row);
  const std::uint32_t crc = Crc32c(row);
  row.resize(row.size() + sizeof crc);
  PutLe(row.data() + row.size() - sizeof crc, crc);
  return row;
}

/// None: it is damaged.
std::optional<KnownProducer> DecodeProducerRow(std::span<const std::byte> row) {
  constexpr std::size_t kCrcBytes = 4;
  if (row.size() < producer_at::kProducer + kCrcBytes) return std::nullopt;
  const std::size_t crc_at = row.size() - kCrcBytes;
  if (Get<std::uint32_t>(row, crc_at) != Crc32c(row.first(crc_at))) return std::nullopt;
  KnownProducer known{.partition = {TopicId(Get<std::int64_t>(row, producer_at::kTopic)),
                                    PartitionId(Get<std::int32_t>(row, producer_at::kPartition))},
                      .touched_ms = Get<std::int64_t>(row, producer_at::kTouched),
                      .window = {}};
  auto rest = row.subspan(producer_at::kProducer, crc_at - producer_at::kProducer);
  const auto window = TakeProducer(rest);
  if (!window || !rest.empty()) return std::nullopt;
  known.window = *window;
  return known;
}

/// Adds the rows of one opened block; how many.
Result<std::uint64_t> TakeRows(Snapshot& to, std::span<const std::byte> payload, std::size_t at) {
  std::uint64_t rows = 0;
  while (!payload.empty()) {
    const std::size_t length = payload.size() < 4 ? 0 : Get<std::uint32_t>(payload, 0);
    if (length == 0 || length > payload.size() - 4) return Damaged("has a row that ends too early", at, at + 1);
    const auto encoded = payload.subspan(4, length);
    if (encoded.front() == kProducerRow) {
      const auto producer = DecodeProducerRow(encoded);
      if (!producer) return Damaged("has a producer that cannot be", at, at + 1);
      to.producers.push_back(*producer);
    } else {
      MR_ASSIGN_OR_RETURN(MetadataRow row, DecodeRow(encoded));
      std::visit([&](auto& each) { Take(to, std::move(each)); }, row);
    }
    payload = payload.subspan(4 + length);
    ++rows;
  }
  return rows;
}

std::array<std::byte, kHeadBytes> EncodeHead(const SnapshotHead& head, std::uint32_t rows_version) {
  std::array<std::byte, kHeadBytes> bytes{};
  std::ranges::copy(AsBytes(kMagic), bytes.begin());
  PutLe(bytes.data() + head_at::kVersion, kSnapshotVersion);
  std::memcpy(bytes.data() + head_at::kIdentity, head.identity.data(), head.identity.size());
  PutLe(bytes.data() + head_at::kGeneration, head.generation);
  PutLe(bytes.data() + head_at::kNonce, head.nonce);
  PutLe(bytes.data() + head_at::kChange, head.change);
  PutLe(bytes.data() + head_at::kSettled, head.settled);
  PutLe(bytes.data() + head_at::kWritten, head.written_ms);
  PutLe(bytes.data() + head_at::kRowsVersion, rows_version);
  PutLe(bytes.data() + head_at::kZero, std::uint32_t{0});
  PutLe(bytes.data() + head_at::kCrc, Crc32c(std::span(bytes).first(head_at::kCrc)));
  return bytes;
}

}  // namespace

bool BelongsInSnapshot(const MetadataRow& row) {
  if (std::holds_alternative<RemovalRow>(row)) return false;
  const auto* store = std::get_if<StoreRow>(&row);
  return store == nullptr || store->name == kIdentityName || store->name == kNextTopicName ||
         store->name == kProducerBlockName;
}

struct SnapshotBuilder::State {
  explicit State(const SnapshotHead& head) : head(head) {}

  const SnapshotHead head;
  BlockEncoder encoder{SegmentCodec::kZstd};
  std::vector<SharedBytes> pieces{SharedBytes()};  // the first: the head, at the end
  bool has_producers = false;
  std::string raw;
  std::uint32_t blocks = 0, blocks_crc = 0;
  std::uint64_t rows = 0;

  void AddRow(std::string_view encoded) {
    std::array<std::byte, 4> length;
    PutLe(length.data(), static_cast<std::uint32_t>(encoded.size()));
    raw += AsText(length);
    raw += encoded;
    ++rows;
    if (raw.size() >= kBlockRaw) Close();
  }

  void Close() {
    if (raw.empty()) return;
    const SharedBytes payload = SharedBytes::Copy(AsBytes(raw));
    CompressionTrials each;
    EncodedBlock encoded = encoder.Encode({&payload, 1}, each);
    pieces.insert(pieces.end(), encoded.pieces.begin(), encoded.pieces.end());
    blocks_crc = JoinedCrc(blocks_crc, encoded.crc);
    ++blocks;
    raw.clear();
  }
};

SnapshotBuilder::SnapshotBuilder(const SnapshotHead& head) : state_(std::make_unique<State>(head)) {}

SnapshotBuilder::~SnapshotBuilder() = default;

void SnapshotBuilder::Add(const MetadataRow& row) {
  if (BelongsInSnapshot(row)) state_->AddRow(EncodeRow(row));
}

void SnapshotBuilder::AddProducer(const KnownProducer& producer) {
  state_->has_producers = true;
  state_->AddRow(AsText(EncodeProducerRow(producer)));
}

std::vector<SharedBytes> SnapshotBuilder::Finish() {
  state_->Close();
  state_->pieces.front() =
      SharedBytes::Copy(EncodeHead(state_->head, state_->has_producers ? kSnapshotRowsVersion : kRowsWithoutProducers));
  std::array<std::byte, kEndBytes> bytes{};
  std::ranges::copy(AsBytes(kEndMagic), bytes.begin());
  PutLe(bytes.data() + end_at::kBlocks, state_->blocks);
  PutLe(bytes.data() + end_at::kRows, state_->rows);
  PutLe(bytes.data() + end_at::kBlocksCrc, state_->blocks_crc);
  PutLe(bytes.data() + end_at::kCrc, Crc32c(std::span(bytes).first(end_at::kCrc)));
  state_->pieces.push_back(SharedBytes::Copy(bytes));
  return std::move(state_->pieces);
}

Result<Snapshot> DecodeSnapshot(const SharedBytes& bytes) {
  Snapshot snapshot;
  MR_ASSIGN_OR_RETURN(snapshot.head, DecodeHead(bytes));
  const std::size_t end = bytes.size() - kEndBytes;
  const auto last = bytes.bytes().subspan(end);
  if (AsText(last.first(kEndMagic.size())) != kEndMagic ||
      Get<std::uint32_t>(last, end_at::kCrc) != Crc32c(last.first(end_at::kCrc)))
    return Damaged("does not end as one", end, bytes.size());
  std::uint32_t blocks = 0, blocks_crc = 0;
  std::uint64_t rows = 0;
  for (std::size_t at = kHeadBytes; at < end; ++blocks) {
    if (end - at < block::kHeaderBytes) return Damaged("has a block that ends too early", at, end);
    const auto header = bytes.bytes().subspan(at, block::kHeaderBytes);
    const std::uint64_t stored = block::kHeaderBytes + std::uint64_t{Get<std::uint32_t>(header, block::kStoredBytes)};
    const SegmentBlock shape{.stored_bytes = static_cast<std::uint32_t>(stored),
                             .raw_bytes = Get<std::uint32_t>(header, block::kRawBytes),
                             .crc = Get<std::uint32_t>(header, block::kCrc)};
    if (stored > end - at || shape.raw_bytes > kBlockRawMax) return Damaged("has a block that cannot be", at, end);
    auto payload = OpenBlock(shape, bytes.Slice(at, stored));
    if (!payload) return Damaged("has a block that is damaged", at, at + stored);
    MR_ASSIGN_OR_RETURN(const std::uint64_t taken, TakeRows(snapshot, *payload, at));
    rows += taken;
    blocks_crc = JoinedCrc(blocks_crc, shape.crc);
    at += stored;
  }
  const bool whole = Get<std::uint32_t>(last, end_at::kBlocks) == blocks &&
                     Get<std::uint64_t>(last, end_at::kRows) == rows &&
                     Get<std::uint32_t>(last, end_at::kBlocksCrc) == blocks_crc;
  if (!whole) return Damaged("has not all of its blocks", kHeadBytes, end);
  std::ranges::sort(snapshot.segments, [](const SegmentRow& one, const SegmentRow& other) {
    return std::tie(one.partition, one.end) < std::tie(other.partition, other.end);
  });
  std::ranges::sort(snapshot.epochs, [](const EpochRow& one, const EpochRow& other) {
    return std::tie(one.partition, one.epoch) < std::tie(other.partition, other.epoch);
  });
  return snapshot;
}

}  // namespace millrace
