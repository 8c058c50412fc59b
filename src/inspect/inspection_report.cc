#include "inspect/inspection_report.h"

#include <fmt/format.h>

#include "text/json_writer.h"

namespace millrace {

InspectedPiece& InspectedPiece::Crc(std::string_view name, std::uint32_t value) {
  return Text(name, fmt::format("{:08x}", value));
}

void InspectionReport::Begin(std::string_view kind, std::string_view path, std::uint64_t size_bytes) {
  if (form_ == Form::kText) {
    write_(fmt::format("{} {}, {} bytes\n", kind, path, size_bytes));
    return;
  }
  std::string text;
  JsonWriter json(text);
  json.BeginObject().Member("schema", "millrace.inspection.v1").Member("kind", kind).Member("path", path);
  json.Member("size_bytes", size_bytes).Key("pieces").BeginArray();
  write_(text);
}

void InspectionReport::Piece(const InspectedPiece& piece, std::size_t depth) {
  std::string& buffer = piece_;
  buffer.clear();
  if (form_ == Form::kText) {
    buffer += fmt::format("{:{}}[{}, {}) {}", "", depth * 2, piece.range.begin, piece.range.end, piece.kind);
    for (const auto& field : piece.fields) {
      buffer += fmt::format(" {}=", field.name);
      bool plain = !field.is_text || field.text.find_first_of(" \t\n\"\\") == std::string::npos;
      if (plain) {
        buffer += field.text;
      } else {
        AppendJsonString(buffer, field.text);
      }
    }
    buffer += '\n';
  } else {
    if (!first_piece_) buffer += ',';
    JsonWriter json(buffer);
    json.BeginObject().Member("kind", piece.kind).Member("byte_begin", piece.range.begin);
    json.Member("byte_end", piece.range.end);
    for (const auto& field : piece.fields) {
      json.Key(field.name);
      if (field.is_text) {
        json.String(field.text);
      } else {
        buffer += field.text;
        json.Written();
      }
    }
    json.EndObject();
  }
  first_piece_ = false;
  write_(buffer);
}

void InspectionReport::Damage(FileRange range, std::string_view reason) {
  damage_.push_back({range, std::string(reason)});
  if (form_ == Form::kText) write_(fmt::format("[{}, {}) DAMAGED: {}\n", range.begin, range.end, reason));
}

void InspectionReport::End() {
  if (form_ == Form::kText) {
    write_(damage_.empty() ? std::string("no damage\n")
                           : fmt::format("{} damaged range{}\n", damage_.size(), damage_.size() == 1 ? "" : "s"));
    return;
  }
  std::string text = "],\"damage\":";
  JsonWriter json(text);
  json.BeginArray();
  for (const Damaged& damage : damage_) {
    json.BeginObject().Member("byte_begin", damage.range.begin).Member("byte_end", damage.range.end);
    json.Member("reason", damage.reason).EndObject();
  }
  json.EndArray();
  write_(text + "}\n");
}

}  // namespace millrace
