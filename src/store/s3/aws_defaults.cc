#include "store/s3/aws_defaults.h"

#include "store/s3/aws_profile.h"

namespace millrace {

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
