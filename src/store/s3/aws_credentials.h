// A key pair to sign with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/s3/secret.h"

namespace millrace {

struct AwsCredentials {
  std::string access_key_id;  // a name, not a secret
  Secret secret_access_key;
  Secret session_token;                    // empty: none
  std::optional<std::int64_t> expires_ms;  // wall time
};

}  // namespace millrace
