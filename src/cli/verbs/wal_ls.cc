#include "base/try.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "inspect/wal_directory.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {
namespace {

std::string_view StateOf(const WalFileView& file) {
  if (!file.scan.header) return "unreadable";
  return file.scan.header->state == WalFileState::kLive ? "live" : "free";
}

std::uint64_t PayloadBytes(const WalFileView& file) {
  std::uint64_t bytes = 0;
  for (const ScannedFrame& frame : file.scan.frames) bytes += frame.header.payload_bytes;
  return bytes;
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(std::filesystem::path directory, FindWalDirectory(session.arguments));
  MR_ASSIGN_OR_RETURN(std::vector<WalFileView> files, ScanWalDirectory(directory));
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.wal.v1").Member("directory", directory.string());
    json.Key("files").BeginArray();
    for (const WalFileView& file : files) {
      json.BeginObject().Member("file", file.name).Member("state", StateOf(file)).Member("size_bytes", file.size_bytes);
      if (file.scan.header) {
        json.Member("generation", file.scan.header->generation).Member("base", file.scan.header->base.value());
      }
      json.Member("frames", file.scan.frames.size()).Member("payload_bytes", PayloadBytes(file)).EndObject();
    }
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  Table table({"FILE", "STATE", "SIZE", "GENERATION", "BASE", "FRAMES", "PAYLOAD"});
  for (const WalFileView& file : files) {
    WalFileHeader header = file.scan.header.value_or(WalFileHeader{});
    table.Add({Cell::Text(file.name), Cell::Text(StateOf(file)), Cell::Bytes(file.size_bytes),
               Cell::Number(static_cast<std::int64_t>(header.generation)), Cell::Number(header.base.value()),
               Cell::Count(file.scan.frames.size()), Cell::Bytes(PayloadBytes(file))});
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command WalListCommand() {
  return {
      .words = "wal ls",
      .summary = "List the WAL files: name, state, bytes, generation, base, frames, bytes of payload",
      .log_flags = LogFlags::kEngine,
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .details = "The files are only read: this works beside the process that holds the log.",
      .aliases = {"list"},
      .run = Run,
  };
}

}  // namespace millrace
