#include "cli/parse/configuration_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#define TOML_EXCEPTIONS 0  // Debian builds the library with them, so it is compiled here
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "base/try.h"
#include "env/posix_error.h"

namespace millrace {
namespace {

std::string Place(const std::filesystem::path& path, const toml::source_position& at) {
  return fmt::format("{}:{}:{}", path.string(), at.line, at.column);
}

std::optional<std::string> ValueOf(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  return std::nullopt;
}

Result<void> Flatten(const toml::table& table, const std::string& prefix, const std::filesystem::path& path,
                     std::vector<FileSetting>& settings) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      MR_TRY(Flatten(*inner, name + '.', path, settings));
      continue;
    }
    const std::string place = Place(path, key.source().begin);
    auto value = ValueOf(node);
    if (!value)
      return Error(ErrorCode::kInvalidArgument, fmt::format("{}: {} is neither text, number nor boolean", place, name));
    settings.push_back({name, *std::move(value), place});
  }
  return {};
}

}  // namespace

Result<std::vector<FileSetting>> ReadConfigurationFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return PosixError(errno, "open", path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}: {}", Place(path, parsed.error().source().begin), parsed.error().description()));
  }
  std::vector<FileSetting> settings;
  MR_TRY(Flatten(parsed.table(), "", path, settings));
  return settings;
}

}  // namespace millrace
