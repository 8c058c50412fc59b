// Where credentials come from if the user names none: the first place with some. Lent ones are renewed before they end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/shared_call.h"
#include "http/http_transport.h"
#include "millrace/clock.h"
#include "store/s3/aws_credential_source.h"
#include "store/s3/aws_surroundings.h"

namespace millrace {

/// Asks its sources in their order; the first that has credentials is asked from then on. What has an end is kept until
/// five minutes before it, or until it was refused; if renewing fails, the old ones serve until they end.
class AwsCredentialChain final : public AwsCredentialSource {
 public:
  /// `clock` outlives the chain.
  AwsCredentialChain(std::vector<std::shared_ptr<AwsCredentialSource>> sources, const Clock& clock)
      : sources_(std::move(sources)), clock_(clock), renewal_(clock) {}

  /// kInvalidArgument, not retryable, if no source has any. One caller fetches, the others wait for what it gets; each
  /// within its own limits (RequestScope).
  Result<AwsCredentials> Get() override MR_EXCLUDES(mutex_);
  void Refused() override MR_EXCLUDES(mutex_);

 private:
  Result<AwsCredentials> Renewed() MR_EXCLUDES(mutex_);
  Result<AwsCredentials> Fetch() MR_EXCLUDES(mutex_);
  [[nodiscard]] bool IsFresh(std::int64_t now_ms) const MR_REQUIRES(mutex_);

  const std::vector<std::shared_ptr<AwsCredentialSource>> sources_;
  const Clock& clock_;
  SharedCall<AwsCredentials> renewal_;
  Mutex mutex_;
  bool refused_ MR_GUARDED_BY(mutex_) = false;
  std::int64_t retry_ms_ MR_GUARDED_BY(mutex_) = INT64_MIN;  // no renewal before, after one failed
  std::optional<AwsCredentials> kept_ MR_GUARDED_BY(mutex_);
  std::shared_ptr<AwsCredentialSource> chosen_ MR_GUARDED_BY(mutex_);
};

/// Environment, web identity, profile, container, instance. `clock` outlives it.
std::shared_ptr<AwsCredentialSource> DefaultAwsCredentials(const AwsSurroundings& surroundings,
                                                           const std::string& region,
                                                           const std::shared_ptr<HttpTransport>& transport,
                                                           const Clock& clock);

}  // namespace millrace
