// Where to go and whom to trust if nothing says so: what the environment, or else the profile, holds for all programs.
#pragma once

#include <string>

#include "store/s3/aws_surroundings.h"

namespace millrace {

/// AWS_REGION, else AWS_DEFAULT_REGION, else the region of the profile, else "".
[[nodiscard]] std::string RegionFrom(const AwsSurroundings& surroundings);
/// AWS_ENDPOINT_URL_<service>, else AWS_ENDPOINT_URL, else endpoint_url of the profile, else "": Amazon's. `service` in
/// capitals: "S3". None of them if AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true.
[[nodiscard]] std::string EndpointFrom(const AwsSurroundings& surroundings, const std::string& service);
/// The file with certificates of authorities: AWS_CA_BUNDLE, else ca_bundle of the profile, else SSL_CERT_FILE, else
/// "": the system's.
[[nodiscard]] std::string CaFileFrom(const AwsSurroundings& surroundings);

}  // namespace millrace
