// What the search for credentials reads of the machine, apart so that a test has a machine of its own.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "millrace/result.h"

namespace millrace {

/// Functions are safe from any thread.
struct AwsSurroundings {
  /// A variable of the environment; none if it is not set or empty.
  std::function<std::optional<std::string>(const char* name)> variable;
  /// A small text file, 1 MiB at most. Errors: kNotFound, kUnavailable.
  std::function<Result<std::string>(const std::filesystem::path& path)> file;

  static AwsSurroundings OfProcess();
};

/// AWS_REGION, else AWS_DEFAULT_REGION, else the region of the profile, else "".
[[nodiscard]] std::string RegionFrom(const AwsSurroundings& surroundings);
/// AWS_ENDPOINT_URL_<service>, else AWS_ENDPOINT_URL, else endpoint_url of the profile, else "": Amazon's. `service` in
/// capitals: "S3". None of them if AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true.
[[nodiscard]] std::string EndpointFrom(const AwsSurroundings& surroundings, const std::string& service);
/// The file with certificates of authorities: AWS_CA_BUNDLE, else ca_bundle of the profile, else SSL_CERT_FILE, else
/// "": the system's.
[[nodiscard]] std::string CaFileFrom(const AwsSurroundings& surroundings);

}  // namespace millrace
