#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/verbs/commands.h"
#include "inspect/file_bytes.h"
#include "inspect/segment_inspection.h"
#include "inspect/wal_inspection.h"
#include "inspect/wal_scan.h"

namespace millrace {
namespace {

enum class FileKind { kWal, kSegment };

Result<FileKind> KindOf(std::string_view word, const SharedBytes& bytes, std::string_view path) {
  if (word == "wal") return FileKind::kWal;
  if (word == "segment" || word == "object") return FileKind::kSegment;
  if (LooksLikeWal(bytes)) return FileKind::kWal;
  if (LooksLikeSegment(bytes)) return FileKind::kSegment;
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} is neither a WAL file nor an object, by its magic", path),
               "Say what it was meant to be: `millrace inspect wal PATH` or `millrace inspect object PATH`.");
}

/// file:///path is a path; other stores are not reached from here.
Result<std::string> PathOf(std::string place) {
  constexpr std::string_view kFile = "file://";
  if (place.starts_with(kFile)) return place.substr(kFile.size());
  if (place.contains("://")) {
    return Error(ErrorCode::kUnsupported, fmt::format("cannot inspect {} yet", place),
                 "Fetch the object and inspect the file.");
  }
  return place;
}

Result<ExitCode> Run(Session& session) {
  std::vector<std::string> words = session.arguments.Positionals("PATH");
  std::string kind_word = words.size() > 1 ? words.front() : "";
  if (words.size() > 2 ||
      (words.size() == 2 && kind_word != "wal" && kind_word != "segment" && kind_word != "object")) {
    return Error(ErrorCode::kInvalidArgument, "inspect takes one path, and wal, segment or object before it",
                 "See `millrace inspect --help`.");
  }
  MR_ASSIGN_OR_RETURN(std::string path, PathOf(words.back()));
  MR_ASSIGN_OR_RETURN(SharedBytes bytes, ReadWholeFile(path));
  MR_ASSIGN_OR_RETURN(FileKind kind, KindOf(kind_word, bytes, path));
  auto form = session.arguments.Has("--json") ? InspectionReport::Form::kJson : InspectionReport::Form::kText;
  auto records = session.arguments.Has("--records") ? RecordsShown::kYes : RecordsShown::kNo;
  InspectionReport report([&session](std::string_view text) { session.out.Write(text); }, form);
  report.Begin(kind == FileKind::kWal ? "wal" : "object", path, bytes.size());
  if (kind == FileKind::kWal) {
    InspectWal(bytes, records, report);
  } else {
    InspectSegments(bytes, records, report);
  }
  report.End();
  return report.damage_count() == 0 ? ExitCode::kOk : ExitCode::kDamaged;
}

}  // namespace

Command InspectCommand() {
  return {
      .words = "inspect",
      .summary = "Show every field of a WAL file or an object, and what is damaged; exit 9 if anything is",
      .positionals = {{"PATH", "the file, or wal|segment|object and the file (else its magic tells)",
                       Presence::kRequired, Repeat::kMany}},
      .flags =
          {
              {"--records", "", "the records too"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details = "Each line begins with the bytes it is about, [begin, end). The file is only read; it may be in use.",
      .examples = {"millrace inspect ./log/wal/00000001.wal", "millrace inspect object --records ./some.obj"},
      .run = Run,
  };
}

}  // namespace millrace
