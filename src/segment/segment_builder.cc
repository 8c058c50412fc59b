#include "segment/segment_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "base/try.h"
#include "record/record_batch_view.h"
#include "record/record_walk.h"
#include "segment/block_codec.h"
#include "segment/segment_format.h"

namespace millrace {
namespace {

/// Offsets, times and records of what went in: of a block, or of all.
struct Extent {
  Offset base, end;
  std::int64_t timestamp_min_ms = 0, timestamp_max_ms = 0;
  std::uint64_t records = 0;

  void Add(const Extent& next) {
    if (records == 0) {
      *this = next;
      return;
    }
    end = next.end;
    timestamp_min_ms = std::min(timestamp_min_ms, next.timestamp_min_ms);
    timestamp_max_ms = std::max(timestamp_max_ms, next.timestamp_max_ms);
    records += next.records;
  }
};

/// True times come from the records. A batch whose CRC is right but whose records cannot be taken apart, or are too
/// much at once, still has to leave the WAL; its header's times stand in.
TimestampRange TimesOf(const RecordBatchView& batch) {
  if (const auto range = FindTimestampRange(batch, kInflatedForTimesMax)) return *range;
  const auto [min, max] = std::minmax(batch.base_timestamp_ms(), batch.max_timestamp_ms());
  return {min, max};
}

}  // namespace

struct SegmentBuilder::State {
  explicit State(const SegmentBuilderOptions& options) : options(options) {
    if (options.encoder == nullptr) own = std::make_unique<BlockEncoder>(options.codec);
  }

  const SegmentBuilderOptions options;
  std::unique_ptr<BlockEncoder> own;
  CompressionTrials trials;
  Extent segment, block;
  SegmentProducers producers;
  std::vector<SharedBytes> block_batches;
  std::uint64_t block_bytes = 0;   // of block_batches
  std::uint64_t stored_bytes = 0;  // of finished blocks
  std::uint32_t blocks = 0;
  std::vector<SharedBytes> pieces;
  std::vector<std::byte> index;

  void FinishBlock() {
    if (block_batches.empty()) return;
    EncodedBlock encoded = (own ? *own : *options.encoder).Encode(block_batches, trials);
    std::ranges::move(encoded.pieces, std::back_inserter(pieces));
    namespace entry = segment_format::entry;
    index.resize(index.size() + entry::kBytes);
    std::byte* at = index.data() + index.size() - entry::kBytes;
    PutLe(at + entry::kBase, block.base.value());
    PutLe(at + entry::kEnd, block.end.value());
    PutLe(at + entry::kTimestampMin, block.timestamp_min_ms);
    PutLe(at + entry::kTimestampMax, block.timestamp_max_ms);
    PutLe(at + entry::kBlockBytes, encoded.bytes);
    PutLe(at + entry::kRawBytes, encoded.raw_bytes);
    PutLe(at + entry::kBlockCrc, encoded.crc);
    PutLe(at + entry::kRecords, static_cast<std::uint32_t>(block.records));
    stored_bytes += encoded.bytes;
    ++blocks;
    block = {};
    block_batches.clear();
    block_bytes = 0;
  }

  Buffer Footer(std::uint64_t size_bytes) const {
    namespace footer = segment_format::footer;
    Buffer bytes(footer::kBytes);
    std::byte* at = bytes.bytes().data();
    PutLe(at + footer::kTopic, options.partition.topic.value());
    PutLe(at + footer::kPartition, options.partition.partition.value());
    PutLe(at + footer::kBlocks, blocks);
    PutLe(at + footer::kBase, segment.base.value());
    PutLe(at + footer::kEnd, segment.end.value());
    PutLe(at + footer::kTimestampMin, segment.timestamp_min_ms);
    PutLe(at + footer::kTimestampMax, segment.timestamp_max_ms);
    PutLe(at + footer::kRecords, segment.records);
    PutLe(at + footer::kSegmentBytes, size_bytes);
    PutLe(at + footer::kIndexCrc, Crc32c(index));
    PutLe(at + footer::kVersion, segment_format::kVersion);
    PutLe(at + footer::kCrc, Crc32c(bytes.bytes().first(footer::kCrc)));
    std::ranges::copy(segment_format::kFooterMagic, at + footer::kMagic);
    return bytes;
  }
};

SegmentBuilder::SegmentBuilder(const SegmentBuilderOptions& options) : state_(std::make_unique<State>(options)) {}
SegmentBuilder::~SegmentBuilder() = default;

Result<void> SegmentBuilder::Add(const SharedBytes& batch) {
  MR_ASSIGN_OR_RETURN(const RecordBatchView view, RecordBatchView::Parse(batch));
  if (view.size_bytes() != batch.size())
    return Error(ErrorCode::kCorruption, "segment: a batch is followed by bytes that belong to none");
  MR_TRY(view.VerifyCrc());
  if (!empty() && view.base_offset() < state_->segment.end)
    return Error(ErrorCode::kInvalidArgument, fmt::format("segment: a batch at offset {} cannot follow offset {}",
                                                          view.base_offset().value(), state_->segment.end.value() - 1));
  const TimestampRange times = TimesOf(view);
  const Extent extent{.base = view.base_offset(),
                      .end = view.end_offset(),
                      .timestamp_min_ms = times.min_ms,
                      .timestamp_max_ms = times.max_ms,
                      .records = static_cast<std::uint64_t>(view.record_count())};
  if (state_->block_bytes + batch.size() > state_->options.block_bytes) state_->FinishBlock();
  state_->block_batches.push_back(batch);
  state_->block_bytes += batch.size();
  state_->block.Add(extent);
  state_->segment.Add(extent);
  state_->producers.Add(view);
  if (state_->block_bytes >= state_->options.block_bytes) state_->FinishBlock();
  return {};
}

std::uint64_t SegmentBuilder::size_bytes() const { return state_->stored_bytes + state_->block_bytes; }

bool SegmentBuilder::empty() const { return state_->segment.records == 0; }

Result<BuiltSegment> SegmentBuilder::Finish() {
  if (empty()) return Error(ErrorCode::kInvalidArgument, "segment: no batch was added");
  State& state = *state_;
  state.FinishBlock();
  BuiltSegment built{.size_bytes = state.stored_bytes + state.index.size() + segment_format::footer::kBytes,
                     .base = state.segment.base,
                     .end = state.segment.end,
                     .records = state.segment.records,
                     .timestamp_min_ms = state.segment.timestamp_min_ms,
                     .timestamp_max_ms = state.segment.timestamp_max_ms,
                     .producers = state.producers.Take()};
  built.pieces = std::move(state.pieces);
  Buffer footer = state.Footer(built.size_bytes);
  built.pieces.push_back(SharedBytes::Copy(state.index));
  built.pieces.push_back(std::move(footer).Freeze());
  state_ = std::make_unique<State>(SegmentBuilderOptions(state.options));
  return built;
}

}  // namespace millrace
