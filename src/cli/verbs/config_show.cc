#include "base/try.h"
#include "cli/parse/arguments.h"
#include "cli/parse/configuration.h"
#include "cli/parse/engine_settings.h"
#include "cli/parse/server_settings.h"
#include "cli/verbs/commands.h"
#include "text/json_writer.h"
#include "text/table.h"

namespace millrace {
namespace {

struct Row {
  std::string_view name;
  std::string value;
};

std::vector<Row> Rows(const Configuration& configuration) {
  std::vector<Row> rows;
  for (const EngineSetting& setting : EngineSettings())
    rows.push_back({setting.name, setting.show(configuration.options)});
  for (const ServerSetting& setting : ServerSettings())
    rows.push_back({setting.name, setting.show(configuration.server)});
  return rows;
}

Result<ExitCode> Run(Session& session) {
  MR_ASSIGN_OR_RETURN(const Configuration configuration, Configure(session.arguments, ProcessEnvironment()));
  if (session.arguments.Has("--json")) {
    std::string text;
    JsonWriter json(text);
    json.BeginObject().Member("schema", "millrace.config.v1").Key("settings").BeginArray();
    for (const Row& row : Rows(configuration)) {
      json.BeginObject().Member("name", row.name).Member("value", row.value);
      json.Member("origin", configuration.OriginOf(row.name)).EndObject();
    }
    json.EndArray().EndObject();
    session.out.Write(text + '\n');
    return ExitCode::kOk;
  }
  const bool origin = session.arguments.Has("--origin");
  Table table(origin ? std::vector<std::string_view>{"SETTING", "VALUE", "SET BY"}
                     : std::vector<std::string_view>{"SETTING", "VALUE"});
  for (const Row& row : Rows(configuration)) {
    std::vector<Cell> cells{Cell::Text(row.name), Cell::Text(row.value)};
    if (origin) cells.push_back(Cell::Text(configuration.OriginOf(row.name)));
    table.Add(std::move(cells));
  }
  session.out.Write(table);
  return ExitCode::kOk;
}

}  // namespace

Command ConfigShowCommand() {
  return {
      .words = "config show",
      .summary = "Print every setting of a log and its server: by flag, else environment, else file, else default",
      .log_flags = LogFlags::kEngine,
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
