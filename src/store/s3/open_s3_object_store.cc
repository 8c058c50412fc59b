#include "store/s3/open_s3_object_store.h"

#include "base/try.h"
#include "http/curl_transport.h"
#include "store/s3/aws_credential_chain.h"
#include "store/s3/aws_defaults.h"

namespace millrace {

Result<std::shared_ptr<S3ObjectStore>> OpenS3ObjectStore(std::string_view url, const Clock& clock,
                                                         const AwsSurroundings& surroundings,
                                                         std::shared_ptr<HttpTransport> transport) {
  const S3Defaults defaults{RegionFrom(surroundings), EndpointFrom(surroundings, "S3")};
  MR_ASSIGN_OR_RETURN(S3Settings settings, ParseS3Url(url, defaults));
  if (!transport) {
    MR_TRY(CurlTransport::Available());
    CurlTransport::Options options;
    options.ca_file = settings.ca_file.empty() ? CaFileFrom(surroundings) : settings.ca_file;
    transport = std::make_shared<CurlTransport>(clock, options);
  }
  auto credentials = DefaultAwsCredentials(surroundings, settings.region, transport, clock);
  return std::make_shared<S3ObjectStore>(std::move(settings), std::move(transport), std::move(credentials), clock);
}

}  // namespace millrace
