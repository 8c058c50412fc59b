#include "store/s3/aws_static_sources.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "store/s3/aws_profile.h"

namespace millrace {

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
