#include "bench/harness/far_store.h"

#include <utility>

#include "bench/harness/opened_engine.h"
#include "http/curl_transport.h"
#include "store/s3/aws_credential_source.h"
#include "store/s3/s3_object_store.h"

namespace millrace::bench {
namespace {

constexpr const char* kBucket = "millrace";

}  // namespace

S3Settings FarSettings(Client client, std::string host, std::uint16_t port) {
  S3Settings settings;
  settings.bucket = kBucket;
  settings.tls = false;
  settings.host = std::move(host);
  settings.port = port;
  settings.addressing = S3Addressing::kPath;
  if (client == Client::kUnlimited) {
    settings.limits = {.limit_first = 4096, .limit_min = 4096, .limit_max = 4096};
    settings.hedging = Hedging::kOff;
  }
  return settings;
}

std::shared_ptr<ObjectStore> OpenFarStore(S3Settings settings, std::shared_ptr<HttpTransport> transport,
                                          const Clock& clock) {
  auto credentials = std::make_shared<FixedAwsCredentials>(
      AwsCredentials{.access_key_id = "millrace-bench", .secret_access_key = Secret("millrace-bench-secret")});
  return std::make_shared<S3ObjectStore>(std::move(settings), std::move(transport), std::move(credentials), clock);
}

FarStore::FarStore(std::uint64_t seed) : s3_(seed, clock_), server_(OrDie(SimS3Server::Start(s3_), "simulated S3")) {
  s3_.CreateBucket(kBucket);
}

std::shared_ptr<ObjectStore> FarStore::Connect(Client client) {
  return OpenFarStore(FarSettings(client, "127.0.0.1", server_->port()), std::make_shared<CurlTransport>(clock_),
                      clock_);
}

std::uint64_t GetsSince(const SimS3Counts& before, const SimS3Counts& now) {
  return now.of(S3Verb::kGet) - before.of(S3Verb::kGet);
}

}  // namespace millrace::bench
