#include "store/aws_static_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace millrace {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::filesystem::path PathOf(const AwsSurroundings& surroundings, const char* variable, const char* below_home) {
  if (auto named = surroundings.variable(variable)) return *named;
  return std::filesystem::path(surroundings.variable("HOME").value_or("/")) / ".aws" / below_home;
}

struct ProfilePlace {
  std::filesystem::path path;
  std::string section;
};

// Where the profile may stand: with the keys, with the settings.
std::array<ProfilePlace, 2> ProfilePlaces(const AwsSurroundings& surroundings) {
  const std::string profile = surroundings.variable("AWS_PROFILE").value_or("default");
  return {{{PathOf(surroundings, "AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile},
           {PathOf(surroundings, "AWS_CONFIG_FILE", "config"), profile == "default" ? profile : "profile " + profile}}};
}

}  // namespace

std::string ProfileSetting(const AwsSurroundings& surroundings, const std::string& key) {
  const auto [keys, settings] = ProfilePlaces(surroundings);
  for (const ProfilePlace& place : {settings, keys}) {
    const auto text = surroundings.file(place.path);
    if (!text) continue;
    auto section = IniSection(*text, place.section);
    if (!section[key].empty()) return section[key];
  }
  return {};
}

std::map<std::string, std::string> IniSection(std::string_view text, std::string_view name) {
  std::map<std::string, std::string> settings;
  bool inside = false;
  while (!text.empty()) {
    const std::string_view raw = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), raw.size() + 1));
    const std::string_view line = Trimmed(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = Trimmed(line.substr(1, line.find(']') - 1)) == name;
      continue;
    }
    const std::size_t equals = line.find('=');
    // A line that is indented belongs to a setting with several values, none of which is ours.
    if (!inside || equals == std::string_view::npos || raw.front() == ' ' || raw.front() == '\t') continue;
    std::string key(Trimmed(line.substr(0, equals)));
    std::ranges::transform(key, key.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    settings[std::move(key)] = Trimmed(line.substr(equals + 1));
  }
  return settings;
}

Result<AwsCredentials> EnvironmentCredentials::Get() {
  const auto id = surroundings_.variable("AWS_ACCESS_KEY_ID"), key = surroundings_.variable("AWS_SECRET_ACCESS_KEY");
  if (!id && !key) return Error(ErrorCode::kNotFound, "no AWS_ACCESS_KEY_ID in the environment");
  if (!id || !key) {
    return Error(ErrorCode::kInvalidArgument,
                 "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY one is set and the other is not", "Set both, or none");
  }
  return AwsCredentials{*id, Secret(*key), Secret(surroundings_.variable("AWS_SESSION_TOKEN").value_or("")), {}};
}

Result<AwsCredentials> ProfileCredentials::Get() {
  const auto named = surroundings_.variable("AWS_PROFILE");
  const std::string profile = named.value_or("default");
  const std::array<ProfilePlace, 2> places = ProfilePlaces(surroundings_);
  for (const ProfilePlace& place : places) {
    const auto text = surroundings_.file(place.path);
    if (!text && text.error().code() == ErrorCode::kNotFound) continue;
    if (!text) return text.error();
    auto settings = IniSection(*text, place.section);
    const std::string id = settings["aws_access_key_id"];
    if (id.empty()) continue;
    if (settings["aws_secret_access_key"].empty()) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{}: profile {} has no aws_secret_access_key", place.path.string(), profile));
    }
    return AwsCredentials{id, Secret(settings["aws_secret_access_key"]), Secret(settings["aws_session_token"]), {}};
  }
  if (named) {
    return Error(ErrorCode::kInvalidArgument, fmt::format("profile {} (AWS_PROFILE) has no keys in {} or {}", profile,
                                                          places[0].path.string(), places[1].path.string()));
  }
  return Error(ErrorCode::kNotFound, fmt::format("no keys in {}", places[0].path.string()));
}

}  // namespace millrace
