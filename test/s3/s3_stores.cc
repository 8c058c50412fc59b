#include "test/s3/s3_stores.h"

#include <utility>

#include "store/s3/aws_credential_source.h"
#include "store/s3/s3_settings.h"

namespace millrace {

std::shared_ptr<S3ObjectStore> OpenS3(const S3Endpoint& endpoint, std::string_view prefix,
                                      std::shared_ptr<HttpTransport> transport, const Clock& clock) {
  S3Settings settings;
  settings.bucket = kTestBucket;
  settings.prefix = prefix;
  settings.tls = false;
  settings.host = endpoint.host;
  settings.port = endpoint.port;
  settings.addressing = S3Addressing::kPath;
  auto credentials = std::make_shared<FixedAwsCredentials>(
      AwsCredentials{.access_key_id = endpoint.access_key_id, .secret_access_key = Secret(endpoint.secret_access_key)});
  return std::make_shared<S3ObjectStore>(std::move(settings), std::move(transport), std::move(credentials), clock);
}

}  // namespace millrace
