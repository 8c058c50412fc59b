#include "store/open_s3_object_store.h"

#include "base/try.h"
#include "env/system_random.h"
#include "store/aws_credential_chain.h"
#include "store/curl_transport.h"

namespace millrace {
namespace {

// What a retrying store leans on, kept as long as it.
struct Owned {
  Owned(std::shared_ptr<ObjectStore> single, const Clock& clock) : retrying(std::move(single), {}, clock, random) {}
  SystemRandom random;
  RetryingObjectStore retrying;
};

}  // namespace

Result<S3Stack> OpenS3ObjectStore(std::string_view url, const Clock& clock, const AwsSurroundings& surroundings,
                                  std::shared_ptr<HttpTransport> transport) {
  MR_ASSIGN_OR_RETURN(S3Settings settings, ParseS3Url(url, RegionFrom(surroundings)));
  if (!transport) transport = std::make_shared<CurlTransport>(clock);
  auto credentials = DefaultAwsCredentials(surroundings, settings.region, transport, clock);
  S3Stack stack;
  stack.single =
      std::make_shared<S3ObjectStore>(std::move(settings), std::move(transport), std::move(credentials), clock);
  const auto owned = std::make_shared<Owned>(stack.single, clock);
  stack.retrying = std::shared_ptr<RetryingObjectStore>(owned, &owned->retrying);
  stack.store = stack.retrying;
  return stack;
}

}  // namespace millrace
