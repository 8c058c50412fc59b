#include "store/s3/aws_credential_chain.h"

#include "base/limited_wait.h"
#include "store/s3/aws_network_sources.h"
#include "store/s3/aws_static_sources.h"

namespace millrace {
namespace {

constexpr std::int64_t kRenewBeforeMs = 5 * 60 * 1000;
constexpr std::int64_t kRenewAgainMs = 30 * 1000;
constexpr std::int64_t kKeepMs = 60 * 1000;  // what has no end may be changed in its file

}  // namespace

bool AwsCredentialChain::IsFresh(std::int64_t now_ms) const {
  if (!kept_ || refused_) return false;
  return now_ms < *kept_->expires_ms - kRenewBeforeMs || (now_ms < *kept_->expires_ms && now_ms < retry_ms_);
}

Result<AwsCredentials> AwsCredentialChain::Fetch() {
  std::shared_ptr<AwsCredentialSource> chosen;
  {
    MutexLock lock(mutex_);
    chosen = chosen_;
  }
  if (chosen) return chosen->Get();
  for (const auto& source : sources_) {
    auto found = source->Get();
    // A caller that gave up waiting has not found that there are none.
    if (auto limit = found ? std::nullopt : LimitReached(clock_, "credentials")) return *std::move(limit);
    // The last one is the network of a cloud: what is wrong there for good is no news elsewhere.
    const bool absent = !found && (found.error().code() == ErrorCode::kNotFound ||
                                   (source == sources_.back() && !found.error().retryable()));
    if (absent) continue;
    if (found) {
      MutexLock lock(mutex_);
      chosen_ = source;
    }
    return found;
  }
  return Error(
      ErrorCode::kInvalidArgument, "there are no credentials for S3",
      "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials (AWS_PROFILE), or give the "
      "machine a role");
}

Result<AwsCredentials> AwsCredentialChain::Get() {
  {
    MutexLock lock(mutex_);
    if (IsFresh(clock_.WallMs())) return *kept_;
  }
  return renewal_.Run("credentials", [this] { return Renewed(); });
}

Result<AwsCredentials> AwsCredentialChain::Renewed() {
  {
    MutexLock lock(mutex_);
    if (IsFresh(clock_.WallMs())) return *kept_;  // by the thread that was here just before
  }
  Result<AwsCredentials> fetched = Fetch();
  const std::int64_t now_ms = clock_.WallMs();
  MutexLock lock(mutex_);
  if (fetched) {
    kept_ = *fetched;
    if (!kept_->expires_ms) kept_->expires_ms = now_ms + kRenewBeforeMs + kKeepMs;
    refused_ = false;
    retry_ms_ = now_ms + kRenewAgainMs;
  } else if (kept_ && !refused_ && now_ms < *kept_->expires_ms) {
    retry_ms_ = now_ms + kRenewAgainMs;
    return *kept_;
  }
  return fetched;
}

void AwsCredentialChain::Refused() {
  MutexLock lock(mutex_);
  refused_ = true;
}

std::shared_ptr<AwsCredentialSource> DefaultAwsCredentials(const AwsSurroundings& surroundings,
                                                           const std::string& region,
                                                           const std::shared_ptr<HttpTransport>& transport,
                                                           const Clock& clock) {
  std::vector<std::shared_ptr<AwsCredentialSource>> sources = {
      std::make_shared<EnvironmentCredentials>(surroundings),
      std::make_shared<WebIdentityCredentials>(surroundings, region, transport, clock),
      std::make_shared<ProfileCredentials>(surroundings),
      std::make_shared<ContainerCredentials>(surroundings, transport, clock),
      std::make_shared<InstanceCredentials>(surroundings, transport, clock)};
  return std::make_shared<AwsCredentialChain>(std::move(sources), clock);
}

}  // namespace millrace
