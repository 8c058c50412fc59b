// Whether the surroundings name a proxy for requests to a store: what many programs obey, and this one does not. Told
// by who examines a store.
#pragma once

#include <optional>

#include "store/s3/aws_surroundings.h"
#include "store/s3/s3_settings.h"
#include "store/store_probe.h"

namespace millrace {

enum class StoreReached { kNo, kYes };

/// "proxy"; none: no variable names one for such requests. The address of the proxy, which may hold a password, is not
/// repeated. Variables as curl reads them: HTTPS_PROXY or HTTP_PROXY by the scheme of the endpoint, else ALL_PROXY, in
/// small letters too; NO_PROXY of names, their ends, and "*".
std::optional<Finding> CheckProxy(const S3Settings& settings, const AwsSurroundings& surroundings,
                                  StoreReached reached);

}  // namespace millrace
