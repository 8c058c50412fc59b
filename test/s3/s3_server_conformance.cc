// Goal: S3ObjectStore means the same by every call over real S3 servers of different make.
// Method: the suite of all object stores against the server that tools/s3_servers.py has started and named in the
// environment; each test works below a prefix of its own. What a server does its own way is one of its traits here.
#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "env/random_id.h"
#include "env/system_clock.h"
#include "env/system_random.h"
#include "http/curl_transport.h"
#include "store/object_store_conformance_testing.h"
#include "store/store_probe.h"
#include "test/s3/s3_stores.h"

namespace millrace {
namespace {

struct Server {
  std::string_view name;
  ObjectStoreTraits traits;
};

constexpr std::size_t kPrefixBytes = 12;

const Server kServers[] = {
    // a/b is listed before a-b: its names are folders, and sorted as such.
    {"seaweedfs",
     {.refuses_folders = false, .lists_in_key_order = false, .key_bytes_max = kObjectKeyBytesMax - kPrefixBytes - 1}},
    // Of x and x/y its lists show x alone.
    {"minio",
     {.refuses_folders = false,
      .lists_keys_that_are_folders = false,
      .key_bytes_max = kObjectKeyBytesMax - kPrefixBytes - 1}},
};

std::string FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct ServerBench final : ObjectStoreBench {
  explicit ServerBench(const S3Endpoint& endpoint) {
    SystemRandom random;
    std::string prefix;
    for (std::size_t i = 0; i < kPrefixBytes; ++i) prefix += static_cast<char>('a' + random.Below(26));
    store = OpenS3(endpoint, prefix, std::make_shared<CurlTransport>(clock), clock);
  }
  ~ServerBench() override { store.reset(); }

  SystemClock clock;
};

/// "http://127.0.0.1:PORT"
S3Endpoint EndpointOf(const std::string& url) {
  S3Endpoint endpoint{.access_key_id = FromEnvironment("AWS_ACCESS_KEY_ID"),
                      .secret_access_key = FromEnvironment("AWS_SECRET_ACCESS_KEY")};
  const char* const port = url.data() + url.rfind(':') + 1;
  std::from_chars(port, url.data() + url.size(), endpoint.port);
  return endpoint;
}

std::vector<ObjectStoreContender> Contenders() {
  const std::string name = FromEnvironment("MILLRACE_S3_SERVER"), url = FromEnvironment("MILLRACE_S3_ENDPOINT");
  std::vector<ObjectStoreContender> contenders;
  for (const Server& server : kServers) {
    if (server.name != name || url.empty()) continue;
    contenders.push_back(
        {name, [endpoint = EndpointOf(url)] { return std::make_unique<ServerBench>(endpoint); }, server.traits});
  }
  return contenders;
}

// Without a server nothing is instantiated, and that is a failure of its own.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ObjectStoreConformanceTest);
INSTANTIATE_TEST_SUITE_P(S3Server, ObjectStoreConformanceTest, testing::ValuesIn(Contenders()),
                         [](const auto& info) { return info.param.name; });

TEST(S3ServerTest, TheProbeFindsNothingMissing) {
  for (const ObjectStoreContender& contender : Contenders()) {
    const auto bench = contender.open();
    SystemRandom random;
    const SystemClock clock;
    const StoreProbe probe = ProbeStore(*bench->store, random, clock);
    EXPECT_EQ(probe.traits.put_if_absent, contender.traits.put_if_absent);
    EXPECT_EQ(probe.findings.size(), 11u);
    for (const Finding& finding : probe.findings) EXPECT_EQ(finding.level, FindingLevel::kOk) << finding.text;
  }
}

TEST(S3ServerTest, IsOneThatTheSuiteKnows) {
  EXPECT_EQ(Contenders().size(), 1u) << "run by tools/s3_servers.py, which names the server in MILLRACE_S3_SERVER";
}

}  // namespace
}  // namespace millrace
