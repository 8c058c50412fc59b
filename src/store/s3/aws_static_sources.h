// Credentials that lie somewhere on this machine: in the environment, or in a file of profiles.
#pragma once

#include <utility>

#include "store/s3/aws_credential_source.h"
#include "store/s3/aws_surroundings.h"

namespace millrace {

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
class EnvironmentCredentials final : public AwsCredentialSource {
 public:
  explicit EnvironmentCredentials(AwsSurroundings surroundings) : surroundings_(std::move(surroundings)) {}
  Result<AwsCredentials> Get() override;

 private:
  const AwsSurroundings surroundings_;
};

/// The profile AWS_PROFILE ("default") in AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials), else in AWS_CONFIG_FILE
/// (~/.aws/config). Read at each Get, so that keys can be changed under a running process.
class ProfileCredentials final : public AwsCredentialSource {
 public:
  explicit ProfileCredentials(AwsSurroundings surroundings) : surroundings_(std::move(surroundings)) {}
  Result<AwsCredentials> Get() override;

 private:
  const AwsSurroundings surroundings_;
};

}  // namespace millrace
