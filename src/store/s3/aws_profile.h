// The files of profiles, which all programs that speak to AWS share: ~/.aws/credentials and ~/.aws/config.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "store/s3/aws_surroundings.h"

namespace millrace {

struct ProfilePlace {
  std::filesystem::path path;
  std::string section;
};

/// Where the profile AWS_PROFILE ("default") may stand: in AWS_SHARED_CREDENTIALS_FILE, with the keys, and in
/// AWS_CONFIG_FILE, with the settings.
[[nodiscard]] std::array<ProfilePlace, 2> ProfilePlaces(const AwsSurroundings& surroundings);

/// A setting of the profile AWS_PROFILE ("default") in AWS_CONFIG_FILE, else in AWS_SHARED_CREDENTIALS_FILE; "" if
/// neither has it.
[[nodiscard]] std::string ProfileSetting(const AwsSurroundings& surroundings, const std::string& key);

/// The settings of one section of an INI file; empty if there is none of that name. Keys in lower case.
[[nodiscard]] std::map<std::string, std::string> IniSection(std::string_view text, std::string_view name);

}  // namespace millrace
