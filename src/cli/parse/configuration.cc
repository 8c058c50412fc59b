#include "cli/parse/configuration.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "base/try.h"
#include "cli/parse/configuration_file.h"
#include "cli/parse/engine_settings.h"
#include "cli/parse/server_settings.h"

namespace millrace {
namespace {

// Flags and variables that are older than the names, and shorter.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kFlags{{{"--data-dir", "engine.data_dir"},
                                                                               {"--store", "engine.object_store"},
                                                                               {"--metadata", "engine.metadata_store"},
                                                                               {"--sync", "engine.sync"},
                                                                               {"--name-space", "engine.name_space"}}};
constexpr std::array<std::pair<const char*, std::string_view>, 2> kVariables{
    {{"MILLRACE_DATA_DIR", "engine.data_dir"}, {"MILLRACE_STORE", "engine.object_store"}}};

Result<void> Set(Configuration& to, const EngineSetting& setting, std::string_view value, std::string origin) {
  MR_TRY(ApplyEngineSetting(setting, value, to.options));
  to.origins.insert_or_assign(std::string(setting.name), std::move(origin));
  return {};
}

Result<void> Set(Configuration& to, const ServerSetting& setting, std::string_view value, std::string origin) {
  if (!setting.set(to.server, value)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} takes {}, not \"{}\"", setting.name, setting.wanted, value));
  }
  to.origins.insert_or_assign(std::string(setting.name), std::move(origin));
  return {};
}

/// One of a log or of a server.
Result<void> SetByName(Configuration& to, std::string_view name, std::string_view value, const std::string& origin) {
  if (const ServerSetting* setting = FindServerSetting(name)) return Set(to, *setting, value, origin);
  MR_ASSIGN_OR_RETURN(const EngineSetting* setting, FindEngineSetting(name));
  return Set(to, *setting, value, origin);
}

std::optional<std::filesystem::path> FindFile(const Arguments& arguments) {
  if (auto named = arguments.Text("--config-file")) return *named;
  for (const char* path : {"./millrace.toml", "/etc/millrace/millrace.toml"}) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored)) return path;
  }
  return std::nullopt;
}

Result<void> TakeFile(Configuration& to, const std::filesystem::path& path) {
  MR_ASSIGN_OR_RETURN(const std::vector<FileSetting> settings, ReadConfigurationFile(path));
  for (const FileSetting& one : settings) {
    if (auto set = SetByName(to, one.name, one.value, one.place); !set) return set.error().WithContext(one.place);
  }
  return {};
}

template <class Setting>
Result<void> TakeVariables(Configuration& to, std::span<const Setting> settings, const Environment& environment) {
  for (const Setting& setting : settings) {
    const std::string variable = setting.variable();
    auto value = environment(variable.c_str());
    if (!value) continue;
    if (auto set = Set(to, setting, *value, variable); !set) return set.error().WithContext(variable);
  }
  return {};
}

Result<void> TakeEnvironment(Configuration& to, const Environment& environment) {
  MR_TRY(TakeVariables(to, EngineSettings(), environment));
  MR_TRY(TakeVariables(to, ServerSettings(), environment));
  for (const auto& [variable, name] : kVariables) {
    const auto value = environment(variable);
    if (!value) continue;
    MR_ASSIGN_OR_RETURN(const EngineSetting* setting, FindEngineSetting(name));
    if (auto set = Set(to, *setting, *value, variable); !set) return set.error().WithContext(variable);
  }
  return {};
}

Result<void> TakeFlags(Configuration& to, const Arguments& arguments) {
  for (const std::string& text : arguments.All("--set")) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      return Error(ErrorCode::kInvalidArgument, fmt::format("--set takes SETTING=VALUE, not \"{}\"", text));
    const std::string_view name = std::string_view(text).substr(0, equals);
    if (auto set = SetByName(to, name, std::string_view(text).substr(equals + 1), "--set"); !set)
      return set.error().WithContext("--set");
  }
  for (const auto& [flag, name] : kFlags) {
    auto value = arguments.Text(flag);
    if (!value) continue;
    MR_ASSIGN_OR_RETURN(const EngineSetting* setting, FindEngineSetting(name));
    if (!setting->set(to.options, *value))
      return Error(ErrorCode::kInvalidArgument, fmt::format("{} takes {}, not \"{}\"", flag, setting->wanted, *value));
    to.origins.insert_or_assign(std::string(name), std::string(flag));
  }
  if (arguments.Has("--read-only")) {
    to.options.read_only = true;
    to.origins.insert_or_assign("engine.read_only", "--read-only");
  }
  return {};
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return std::string(value);
  };
}

std::string_view Configuration::OriginOf(std::string_view setting) const {
  auto found = origins.find(setting);
  return found == origins.end() ? std::string_view("default") : std::string_view(found->second);
}

Result<Configuration> Configure(const Arguments& arguments, const Environment& environment) {
  Configuration configuration;
  if (auto file = FindFile(arguments)) MR_TRY(TakeFile(configuration, *file));
  MR_TRY(TakeEnvironment(configuration, environment));
  MR_TRY(TakeFlags(configuration, arguments));
  return configuration;
}

}  // namespace millrace
