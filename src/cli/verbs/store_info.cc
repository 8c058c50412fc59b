#include <fmt/format.h>

#include <string>

#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/verbs/commands.h"
#include "engine/store_abstract.h"
#include "text/json_writer.h"
#include "text/units.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  const std::string url = session.arguments.Positional("URL");
  MR_ASSIGN_OR_RETURN(const StoreAbstract found,
                      DescribeStore(url, session.arguments.Text("--name-space").value_or("")));
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.store.v1").Member("home", url);
    json.Member("identity", found.identity).Member("made_ms", found.made_ms).Member("made_by", found.made_by);
    json.Member("generation", std::uint64_t{found.generation}).Member("how", found.how);
    json.Member("host", found.host).Member("claim_ms", found.claim_ms);
    json.Member("snapshots", found.snapshots).Member("snapshot_bytes", found.snapshot_bytes).EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  const auto line = [&](const std::string& text) { session.out.Write(text + '\n'); };
  line(fmt::format("log         {}", found.identity));
  if (found.made_ms > 0) line(fmt::format("made        {} by {}", FormatTime(found.made_ms), found.made_by));
  if (found.generation > 0)
    line(fmt::format("written by  {} since {} (generation {}, {})", found.host, FormatTime(found.claim_ms),
                     found.generation, found.how));
  line(fmt::format("snapshots   {}{}", found.snapshots,
                   found.snapshots == 0 ? "" : fmt::format(", the newest of {}", FormatBytes(found.snapshot_bytes))));
  return ExitCode::kOk;
}

}  // namespace

Command StoreInfoCommand() {
  return {
      .words = "store info",
      .summary = "Tell whose log lies in an object store, and who writes there",
      .positionals = {{"URL", "the object store: file:///PATH, s3://BUCKET/PREFIX"}},
      .flags =
          {
              {"--name-space", "NAME", "of the log of this name space"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details = "Looks at the store alone, and changes nothing. Exit 3 if there is no log.",
      .examples = {"millrace store info s3://logs/prod"},
      .run = Run,
  };
}

}  // namespace millrace
