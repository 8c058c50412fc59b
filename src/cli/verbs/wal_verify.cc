#include <fmt/format.h>

#include "base/try.h"
#include "cli/parse/data_location.h"
#include "cli/verbs/commands.h"
#include "inspect/wal_directory.h"
#include "text/json_writer.h"
#include "text/units.h"

namespace millrace {
namespace {

struct Totals {
  std::uint64_t frames = 0, bytes = 0;
};

Totals Sum(const std::vector<WalFileView>& files) {
  Totals totals;
  for (const WalFileView& file : files) {
    totals.frames += file.scan.frames.size();
    totals.bytes += file.size_bytes;
  }
  return totals;
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(std::filesystem::path directory, FindWalDirectory(session.arguments));
  MR_ASSIGN_OR_RETURN(std::vector<WalFileView> files, ScanWalDirectory(directory));
  std::vector<WalDamageFound> damage = DamageIn(files);
  Totals totals = Sum(files);
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.wal_verify.v1").Member("files", files.size());
    json.Member("frames", totals.frames).Member("bytes", totals.bytes).Key("damage").BeginArray();
    for (const WalDamageFound& found : damage) {
      json.BeginObject().Member("file", found.file).Member("byte_begin", found.range.begin);
      json.Member("byte_end", found.range.end).Member("reason", found.reason).EndObject();
    }
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
  } else {
    for (const WalDamageFound& found : damage) {
      session.out.Write(fmt::format("damaged: {}, bytes [{}, {}): {}\n", found.file, found.range.begin, found.range.end,
                                    found.reason));
    }
    session.Note(fmt::format("verified {} files, {} frames, {}: {} damaged", files.size(), totals.frames,
                             FormatBytes(totals.bytes), damage.size()));
  }
  return damage.empty() ? ExitCode::kOk : ExitCode::kDamaged;
}

}  // namespace

Command WalVerifyCommand() {
  return {
      .words = "wal verify",
      .summary = "Read every WAL file and check every frame; exit 9 if any is damaged",
      .log_flags = LogFlags::kEngine,
      .flags = {{"--json", "", "as one JSON document; errors are JSON too"}},
      .details =
          "Frames that were never synced may be missing at the end of the log: that is no damage. The files are "
          "only read.",
      .run = Run,
  };
}

}  // namespace millrace
