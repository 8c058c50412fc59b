// Credentials that are lent: by the token service for a signed identity (as in Kubernetes), and by the machine one runs
// on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http/http_transport.h"
#include "millrace/clock.h"
#include "store/s3/aws_credential_source.h"
#include "store/s3/aws_surroundings.h"

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

/// What an agent beside the container lends (ECS, EKS Pod Identity): AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or
/// AWS_CONTAINER_CREDENTIALS_FULL_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE (read anew each time) or
/// AWS_CONTAINER_AUTHORIZATION_TOKEN. Without TLS only the loopback and the agents' own addresses are asked, so that no
/// token is sent to strangers.
class ContainerCredentials final : public AwsCredentialSource {
 public:
  /// `clock` outlives it.
  ContainerCredentials(AwsSurroundings surroundings, std::shared_ptr<HttpTransport> transport, const Clock& clock)
      : surroundings_(std::move(surroundings)), transport_(std::move(transport)), clock_(clock) {}
  Result<AwsCredentials> Get() override;

 private:
  Result<std::string> Token() const;

  const AwsSurroundings surroundings_;
  const std::shared_ptr<HttpTransport> transport_;
  const Clock& clock_;
};

/// The role of the machine, from its metadata service (a token first; without one where the service knows none), unless
/// AWS_EC2_METADATA_DISABLED is true. Where no service can be reached: kNotFound after a second. One that is
/// there may take five for each answer.
class InstanceCredentials final : public AwsCredentialSource {
 public:
  /// `clock` outlives it.
  InstanceCredentials(AwsSurroundings surroundings, std::shared_ptr<HttpTransport> transport, const Clock& clock)
      : surroundings_(std::move(surroundings)), transport_(std::move(transport)), clock_(clock) {}
  Result<AwsCredentials> Get() override;

 private:
  Result<HttpResponse> Send(HttpMethod method, std::string target, std::vector<HttpHeader> headers);
  Result<std::vector<HttpHeader>> Proof();
  Result<std::string> Ask(std::string target, const std::vector<HttpHeader>& proof);

  const AwsSurroundings surroundings_;
  const std::shared_ptr<HttpTransport> transport_;
  const Clock& clock_;
};

}  // namespace millrace
