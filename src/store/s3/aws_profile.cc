#include "store/s3/aws_profile.h"

#include <algorithm>

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

}  // namespace

std::array<ProfilePlace, 2> ProfilePlaces(const AwsSurroundings& surroundings) {
  const std::string profile = surroundings.variable("AWS_PROFILE").value_or("default");
  return {{{PathOf(surroundings, "AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile},
           {PathOf(surroundings, "AWS_CONFIG_FILE", "config"), profile == "default" ? profile : "profile " + profile}}};
}

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

}  // namespace millrace
