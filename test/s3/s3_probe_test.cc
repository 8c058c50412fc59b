// Goal: what `millrace doctor` says of an S3 is so, the lacks included. Method: the probe on a simulated S3 with each
// lack.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "store/store_probe.h"
#include "test/s3/s3_stores.h"
#include "test/s3/sim_s3.h"
#include "test/s3/sim_s3_transport.h"

namespace millrace {
namespace {

class S3ProbeTest : public testing::Test {
 protected:
  StoreProbe Probe(SimS3& s3) {
    s3.CreateBucket(kTestBucket);
    const auto store = OpenS3({}, "", std::make_shared<SimS3Transport>(s3, clock_), clock_);
    return ProbeStore(*store, random_, clock_);
  }
  /// The checks that are not ok, with their levels: "clock warn".
  static std::string Lacks(const StoreProbe& probe) {
    std::string lacks;
    for (const Finding& finding : probe.findings) {
      if (finding.level != FindingLevel::kOk) {
        lacks += finding.check + (finding.level == FindingLevel::kWarn ? " warn;" : " fail;");
      }
    }
    return lacks;
  }

  SimClock clock_;
  SeededRandom random_{1};
};

TEST_F(S3ProbeTest, AGoodStoreLacksNothingAndIsLeftAsItWas) {
  SimS3 s3(1, clock_);
  const StoreProbe probe = Probe(s3);
  EXPECT_EQ(Lacks(probe), "");
  EXPECT_EQ(probe.findings.size(), 11u);
  EXPECT_EQ(probe.traits.put_if_absent, true);
  EXPECT_EQ(s3.objects(kTestBucket), 0u);
  EXPECT_LE(s3.Counts().all(), 20u);
}

TEST_F(S3ProbeTest, AStoreThatOverwritesIsToldFromOneThatRefuses) {
  SimS3 s3(1, clock_, SimS3::PutIfAbsent::kIgnored);
  const StoreProbe probe = Probe(s3);
  EXPECT_EQ(Lacks(probe), "put-if-absent warn;");
  EXPECT_EQ(probe.traits.put_if_absent, false);
}

TEST_F(S3ProbeTest, AClockThatIsOffIsNoticedBeforeS3RefusesAndNamedWhenItDoes) {
  SimS3 s3(1, clock_);
  SimS3Behaviour behaviour;
  behaviour.clock_skew = std::chrono::minutes(5);
  s3.SetBehaviour(behaviour);
  EXPECT_EQ(Lacks(Probe(s3)), "clock warn;");
  behaviour.clock_skew = std::chrono::minutes(-20);
  s3.SetBehaviour(behaviour);
  const StoreProbe refused = Probe(s3);
  ASSERT_TRUE(refused.unreachable);
  EXPECT_EQ(Lacks(refused), "reachable fail;");
  EXPECT_TRUE(refused.findings.front().text.contains("its clock is")) << refused.findings.front().text;
}

TEST_F(S3ProbeTest, WrongBytesAreNoticed) {
  SimS3 s3(1, clock_);
  SimS3Behaviour behaviour;
  s3.SetBehaviour(behaviour.Set(S3Fault::kFlippedBit, 1'000'000));
  EXPECT_TRUE(Lacks(Probe(s3)).contains("ranged-get fail;checksum fail;"));
}

}  // namespace
}  // namespace millrace
