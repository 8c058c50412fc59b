#include "inspect/wal_inspection.h"

#include <algorithm>
#include <string_view>

#include "inspect/wal_scan.h"

namespace millrace {
namespace {

void ReportHeader(const WalScan& scan, InspectionReport& report) {
  for (FileRange copy : scan.bad_header_copies) {
    report.Damage(copy, scan.header ? "this copy of the header is not valid; the other one is"
                                    : "this copy of the header is not valid");
  }
  if (!scan.header) return;
  const WalFileHeader& header = *scan.header;
  InspectedPiece piece{.kind = "header", .range = {0, kWalFileHeaderBytes}};
  piece.Text("state", header.state == WalFileState::kLive ? "live" : "free").Number("generation", header.generation);
  piece.Number("base", header.base.value()).Number("capacity", header.capacity);
  piece.Number("predecessor_generation", header.predecessor_generation);
  piece.Number("predecessor_end", header.predecessor_end.value()).Number("last_frame", header.last_frame.value());
  report.Piece(piece);
}

void ReportFrame(const SharedBytes& bytes, const ScannedFrame& frame, RecordsShown records, InspectionReport& report) {
  const WalFrameHeader& header = frame.header;
  InspectedPiece piece{.kind = "frame", .range = frame.range()};
  piece.Text("frame_kind", header.kind == WalFrameKind::kMark ? "mark" : "payload")
      .Number("position", header.position.value());
  piece.Number("previous", header.previous.value()).Number("synced_to", header.synced_to.value());
  piece.Number("generation", header.generation).Number("stream", header.stream.value());
  piece.Number("payload_bytes", header.payload_bytes).Crc("payload_crc", header.payload_crc);
  report.Piece(piece);
  if (header.kind != WalFrameKind::kPayload) return;
  std::uint64_t begin = frame.offset + kWalFrameHeaderBytes;
  SharedBytes payload = bytes.Slice(begin, header.payload_bytes);
  InspectBatches(payload, {{begin, begin + header.payload_bytes}}, records, report);
}

}  // namespace

void InspectWal(const SharedBytes& bytes, RecordsShown records, InspectionReport& report) {
  WalScan scan = ScanWalFile(bytes);
  ReportHeader(scan, report);
  std::vector<ScannedGap> damage = DamageOf(scan, nullptr, scan.synced_to);
  auto next = damage.begin();
  auto report_damage_before = [&](std::uint64_t offset) {
    for (; next != damage.end() && next->range.begin < offset; ++next) report.Damage(next->range, next->reason);
  };
  for (const ScannedFrame& frame : scan.frames) {
    report_damage_before(frame.offset);
    ReportFrame(bytes, frame, records, report);
  }
  report_damage_before(UINT64_MAX);
}

}  // namespace millrace
