// Credentials that are lent: by the token service for a signed identity (as in Kubernetes), and by the machine one runs
// on.
#pragma once

#include <memory>
#include <string>

#include "millrace/clock.h"
#include "store/aws_credential_source.h"
#include "store/aws_surroundings.h"
#include "store/http_transport.h"

namespace millrace {

/// AssumeRoleWithWebIdentity: AWS_WEB_IDENTITY_TOKEN_FILE (read anew each time), AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME;
/// asked at AWS_ENDPOINT_URL_STS, else at Amazon's of the region.
class WebIdentityCredentials final : public AwsCredentialSource {
 public:
  /// `clock` outlives it.
  WebIdentityCredentials(AwsSurroundings surroundings, std::string region, std::shared_ptr<HttpTransport> transport,
                         const Clock& clock)
      : surroundings_(std::move(surroundings)),
        region_(std::move(region)),
        transport_(std::move(transport)),
        clock_(clock) {}
  Result<AwsCredentials> Get() override;

 private:
  const AwsSurroundings surroundings_;
  const std::string region_;
  const std::shared_ptr<HttpTransport> transport_;
  const Clock& clock_;
};

/// The role of the machine, from its metadata service (version 2: a token first), unless AWS_EC2_METADATA_DISABLED is
/// true. Elsewhere nobody answers there: kNotFound after a second.
class InstanceCredentials final : public AwsCredentialSource {
 public:
  /// `clock` outlives it.
  InstanceCredentials(AwsSurroundings surroundings, std::shared_ptr<HttpTransport> transport, const Clock& clock)
      : surroundings_(std::move(surroundings)), transport_(std::move(transport)), clock_(clock) {}
  Result<AwsCredentials> Get() override;

 private:
  Result<std::string> Ask(HttpMethod method, std::string target, std::vector<HttpHeader> headers);

  const AwsSurroundings surroundings_;
  const std::shared_ptr<HttpTransport> transport_;
  const Clock& clock_;
};

}  // namespace millrace
