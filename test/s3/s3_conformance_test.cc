// Goal (B79): S3ObjectStore means by every call what every other store means, over the simulated S3: through real
// sockets, in virtual time, and while the store refuses, breaks and shortens what is repeated above it. Method: the
// suite of all object stores; each test has a fresh simulated S3. Where S3 differs, a trait says so.
#include <gtest/gtest.h>

#include <memory>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "env/system_clock.h"
#include "http/curl_transport.h"
#include "store/object_store_conformance_testing.h"
#include "store/retrying_object_store.h"
#include "test/s3/s3_stores.h"
#include "test/s3/sim_s3.h"
#include "test/s3/sim_s3_server.h"
#include "test/s3/sim_s3_transport.h"

namespace millrace {
namespace {

using PutIfAbsent = SimS3::PutIfAbsent;

struct HttpBench final : ObjectStoreBench {
  explicit HttpBench(std::string_view prefix) {
    s3.CreateBucket(kTestBucket);
    auto started = SimS3Server::Start(s3);
    if (!started) return;
    server = *std::move(started);
    store = OpenS3({.port = server->port()}, prefix, std::make_shared<CurlTransport>(clock), clock);
  }
  ~HttpBench() override { store.reset(); }

  SystemClock clock;
  SimS3 s3{1, clock};
  std::unique_ptr<SimS3Server> server;
};

struct VirtualBench final : ObjectStoreBench {
  explicit VirtualBench(PutIfAbsent put_if_absent) : s3(1, clock, put_if_absent) {
    s3.CreateBucket(kTestBucket);
    store = OpenS3({}, "", std::make_shared<SimS3Transport>(s3, clock), clock);
  }
  ~VirtualBench() override { store.reset(); }

  SimClock clock;
  SimS3 s3;
  SeededRandom jitter{1};
};

/// One request in five goes wrong, in every way that the client itself can see.
SimS3Behaviour Chaos() {
  SimS3Behaviour behaviour;
  behaviour.first_byte = std::chrono::milliseconds(30);
  for (const S3Fault fault : {S3Fault::kSlowDown, S3Fault::kTooMany, S3Fault::kInternal, S3Fault::kResetBefore,
                              S3Fault::kResetAfter, S3Fault::kResetInBody, S3Fault::kTruncated, S3Fault::kShortRange,
                              S3Fault::kWrongRange, S3Fault::kWrongChecksum, S3Fault::kConflict, S3Fault::kStall}) {
    behaviour.Set(fault, 20'000);
  }
  return behaviour;
}

std::unique_ptr<ObjectStoreBench> OpenUnderChaos() {
  auto bench = std::make_unique<VirtualBench>(PutIfAbsent::kKept);
  bench->s3.SetBehaviour(Chaos());
  SimClock& clock = bench->clock;
  bench->store = std::make_shared<RetryingObjectStore>(bench->store, RetryOptions{.attempts_max = 20}, clock,
                                                       bench->jitter, [&clock](auto pause) { clock.Advance(pause); });
  return bench;
}

const ObjectStoreTraits kS3 = {.refuses_folders = false, .keeps_limits = true};
constexpr std::string_view kPrefix = "some/prefix";

const ObjectStoreContender kContenders[] = {
    {"SimulatedHttp", [] { return std::make_unique<HttpBench>(""); }, kS3},
    {"SimulatedHttpBelowPrefix",
     [] { return std::make_unique<HttpBench>(kPrefix); },
     {.refuses_folders = false, .keeps_limits = true, .key_bytes_max = kObjectKeyBytesMax - kPrefix.size() - 1}},
    {"SimulatedVirtualTime", [] { return std::make_unique<VirtualBench>(PutIfAbsent::kKept); }, kS3},
    {"SimulatedWithoutPutIfAbsent",
     [] { return std::make_unique<VirtualBench>(PutIfAbsent::kIgnored); },
     {.put_if_absent = false, .refuses_folders = false, .keeps_limits = true}},
    {"SimulatedUnderChaos", OpenUnderChaos, kS3},
};

INSTANTIATE_TEST_SUITE_P(S3, ObjectStoreConformanceTest, testing::ValuesIn(kContenders),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace millrace
