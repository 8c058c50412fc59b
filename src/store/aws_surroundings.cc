#include "store/aws_surroundings.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <system_error>

#include "store/aws_static_sources.h"

namespace millrace {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

std::optional<std::string> ReadVariable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Result<std::string> ReadFile(const std::filesystem::path& path) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) {
    return Error(ErrorCode::kNotFound, fmt::format("there is no file {}", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || file.gcount() == 0 || static_cast<std::size_t>(file.gcount()) > kFileBytesMax) {
    return Error(ErrorCode::kUnavailable, fmt::format("{} cannot be read, or is empty or above 1 MiB", path.string()))
        .WithRetryable(false);
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

AwsSurroundings AwsSurroundings::OfProcess() { return {&ReadVariable, &ReadFile}; }

std::string RegionFrom(const AwsSurroundings& surroundings) {
  if (auto region = surroundings.variable("AWS_REGION")) return *region;
  if (auto region = surroundings.variable("AWS_DEFAULT_REGION")) return *region;
  return ProfileSetting(surroundings, "region");
}

std::string EndpointFrom(const AwsSurroundings& surroundings, const std::string& service) {
  if (surroundings.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == "true") return {};
  if (auto endpoint = surroundings.variable(("AWS_ENDPOINT_URL_" + service).c_str())) return *endpoint;
  if (auto endpoint = surroundings.variable("AWS_ENDPOINT_URL")) return *endpoint;
  return ProfileSetting(surroundings, "endpoint_url");
}

std::string CaFileFrom(const AwsSurroundings& surroundings) {
  if (auto file = surroundings.variable("AWS_CA_BUNDLE")) return *file;
  if (auto file = ProfileSetting(surroundings, "ca_bundle"); !file.empty()) return file;
  return surroundings.variable("SSL_CERT_FILE").value_or("");
}

}  // namespace millrace
