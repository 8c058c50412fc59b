#include "inspect/batch_inspection.h"

#include <fmt/format.h>

#include "record/record_batch_view.h"
#include "text/base64.h"
#include "text/utf8.h"

namespace millrace {
namespace {

std::string_view CompressionName(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return "gzip";
    case Compression::kSnappy:
      return "snappy";
    case Compression::kLz4:
      return "lz4";
    case Compression::kZstd:
      return "zstd";
    case Compression::kNone:
      break;
  }
  return "none";
}

/// Text as it is; what is not text as base64 with a mark.
std::string Shown(std::string_view bytes) {
  if (IsUtf8(bytes)) return std::string(bytes);
  std::string text = "base64:";
  AppendBase64(text, bytes);
  return text;
}

void InspectRecords(const SharedBytes& batch, FileRange range, InspectionReport& report) {
  std::vector<RecordView> records;
  auto decoded = DecodeRecords(batch, {}, records);
  if (!decoded) {
    report.Damage(range, decoded.error().message());
    return;
  }
  for (const RecordView& record : records) {
    InspectedPiece piece{.kind = "record", .range = range};
    piece.Number("offset", record.offset.value()).Number("timestamp_ms", record.timestamp_ms);
    if (record.key) piece.Text("key", Shown(*record.key));
    if (record.value) piece.Text("value", Shown(*record.value));
    for (const HeaderView& header : record.Headers()) {
      piece.Text("header", fmt::format("{}={}", Shown(header.key), header.value ? Shown(*header.value) : "(null)"));
    }
    report.Piece(piece, 2);
  }
}

}  // namespace

void InspectBatches(const SharedBytes& bytes, const BatchPlace& place, RecordsShown records, InspectionReport& report) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    auto parsed = RecordBatchView::Parse(bytes.bytes().subspan(at));
    FileRange rest = place.inflated ? place.range : FileRange{place.range.begin + at, place.range.end};
    if (!parsed) {
      report.Damage(rest, parsed.error().message());
      return;
    }
    FileRange range = place.inflated ? place.range : FileRange{rest.begin, rest.begin + parsed->size_bytes()};
    InspectedPiece piece{.kind = "batch", .range = range};
    piece.Number("base_offset", parsed->base_offset().value()).Number("end_offset", parsed->end_offset().value());
    piece.Number("records", parsed->record_count()).Number("bytes", parsed->size_bytes());
    piece.Number("leader_epoch", parsed->leader_epoch().value())
        .Text("compression", CompressionName(parsed->compression()));
    piece.Number("base_timestamp_ms", parsed->base_timestamp_ms())
        .Number("max_timestamp_ms", parsed->max_timestamp_ms());
    piece.Crc("crc", parsed->stored_crc());
    report.Piece(piece, 1);
    if (auto checked = parsed->VerifyCrc(); !checked) {
      report.Damage(range, checked.error().message());
    } else if (records == RecordsShown::kYes) {
      InspectRecords(bytes.Slice(at, parsed->size_bytes()), range, report);
    }
    at += parsed->size_bytes();
  }
}

}  // namespace millrace
