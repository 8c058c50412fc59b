// The seam of credentials: the client asks for them each time it signs.
#pragma once

#include "millrace/result.h"
#include "store/s3/aws_credentials.h"

namespace millrace {

/// Safe from any thread. May block: some come over the network.
class AwsCredentialSource {
 public:
  virtual ~AwsCredentialSource() = default;
  /// Errors: kNotFound (this source has none), kUnavailable, kTimeout, kInvalidArgument (what is configured makes no
  /// sense). No message holds a secret.
  virtual Result<AwsCredentials> Get() = 0;
  /// The store refused what Get gave as expired: the next Get is to bring other ones, if there are any.
  virtual void Refused() {}
};

/// The same ones for ever.
class FixedAwsCredentials final : public AwsCredentialSource {
 public:
  explicit FixedAwsCredentials(AwsCredentials credentials) : credentials_(std::move(credentials)) {}
  Result<AwsCredentials> Get() override { return credentials_; }

 private:
  const AwsCredentials credentials_;
};

}  // namespace millrace
