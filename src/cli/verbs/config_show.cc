#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/configuration.h"
#include "cli/parse/engine_settings.h"
#include "cli/verbs/commands.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {
namespace {

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const Configuration configuration, Configure(session.arguments, ProcessEnvironment()));
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.config.v1").Key("settings").BeginArray();
    for (const EngineSetting& setting : EngineSettings()) {
      json.BeginObject().Member("name", setting.name).Member("value", setting.show(configuration.options));
      json.Member("origin", configuration.OriginOf(setting.name)).EndObject();
    }
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  const bool origin = session.arguments.Has("--origin");
  Table table(origin ? std::vector<std::string_view>{"SETTING", "VALUE", "SET BY"}
                     : std::vector<std::string_view>{"SETTING", "VALUE"});
  for (const EngineSetting& setting : EngineSettings()) {
    std::vector<Cell> row{Cell::Text(setting.name), Cell::Text(setting.show(configuration.options))};
    if (origin) row.push_back(Cell::Text(configuration.OriginOf(setting.name)));
    table.Add(std::move(row));
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command ConfigShowCommand() {
  return {
      .words = "config show",
      .summary = "Print every setting of a log: by flag, else environment, else file, else default",
      .place = Place::kEngine,
      .flags =
          {
              {"--origin", "", "and who set it"},
              {"--json", "", "as one JSON document; errors are JSON too"},
          },
      .details =
          "The file is --config-file, else ./millrace.toml, else /etc/millrace/millrace.toml. The variable of\n"
          "engine.wal_bytes_max is MILLRACE_ENGINE__WAL_BYTES_MAX. Nothing is opened.",
      .examples = {"millrace config show --origin --set engine.wal_bytes_max=1GiB"},
      .run = Run,
  };
}

}  // namespace millrace
