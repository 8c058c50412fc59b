// Goal: the probe tells what a store lacks and what follows from it, and leaves nothing behind. Method: a good store,
// and one of each way to be bad.
#include "store/store_probe.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "http/fake_http_transport.h"
#include "store/memory_object_store.h"
#include "store/s3/s3_object_store.h"

namespace millrace {
namespace {

enum class Flaw {
  kNone,
  kUnreachable,
  kReadOnly,
  kOverwrites,
  kBadRange,
  kNoDelete,
  kWrongSize,
  kSkewed,
  kStaleList,
  kNoListRight,
  kForgetsNothing
};

class FlawedStore final : public ObjectStore {
 public:
  FlawedStore(Flaw flaw, const Clock& clock) : flaw_(flaw), memory_(&clock) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    if (flaw_ == Flaw::kReadOnly) return Refusal();
    return memory_.Put(key, pieces, flaw_ == Flaw::kOverwrites ? PutMode::kOverwrite : mode);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    if (flaw_ == Flaw::kBadRange && range.offset > 0) range.offset += 1;
    if (flaw_ == Flaw::kForgetsNothing && absent_.contains(std::string(key)))
      return Error(ErrorCode::kNotFound, "it is remembered to be absent");
    if (!memory_.Head(key)) {
      absent_.emplace(key);
      if (flaw_ == Flaw::kNoListRight) return Error(ErrorCode::kPermissionDenied, "403 AccessDenied");
    }
    return memory_.Get(key, range);
  }
  Result<ObjectDescription> Head(std::string_view key) override {
    auto head = memory_.Head(key);
    if (head && flaw_ == Flaw::kWrongSize) --head->size_bytes;
    if (head && flaw_ == Flaw::kSkewed) head->modified_ms += 16 * 60'000;
    return head;
  }
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    if (flaw_ == Flaw::kUnreachable) return Refusal();
    if (flaw_ == Flaw::kStaleList) return ObjectPage{};
    return memory_.List(prefix, continuation, max);
  }
  Result<void> Delete(std::string_view key) override {
    return flaw_ == Flaw::kNoDelete ? Refusal() : memory_.Delete(key);
  }
  [[nodiscard]] std::string Describe() const override { return "flawed:"; }

 private:
  static Error Refusal() { return Error(ErrorCode::kUnavailable, "refused", "allow it").WithRetryable(false); }
  const Flaw flaw_;
  std::set<std::string> absent_;
  MemoryObjectStore memory_;
};

class StoreProbeTest : public testing::Test {
 protected:
  StoreProbe Run(Flaw flaw, StoreWriters writers = StoreWriters::kMany) {
    FlawedStore store(flaw, clock_);
    SeededRandom random(1);
    StoreProbe probe = ProbeStore(store, random, clock_, nullptr, writers);
    if (flaw != Flaw::kNoDelete && flaw != Flaw::kUnreachable) {
      EXPECT_TRUE(store.List("", "", 10)->objects.empty());
    }
    return probe;
  }

 public:
  // "warn put-if-absent, fail delete": what is not ok.
  static std::string Bad(const StoreProbe& probe) {
    std::string bad;
    for (const Finding& finding : probe.findings) {
      if (finding.level == FindingLevel::kOk) continue;
      if (!bad.empty()) bad += ", ";
      bad += (finding.level == FindingLevel::kWarn ? "warn " : "fail ") + finding.check;
    }
    return bad;
  }

 protected:
  SimClock clock_;
};

TEST_F(StoreProbeTest, AGoodStoreIsGoodInEveryCheck) {
  const StoreProbe probe = Run(Flaw::kNone);
  EXPECT_EQ(Bad(probe), "");
  EXPECT_EQ(probe.findings.size(), 11u);
  EXPECT_EQ(probe.traits.put_if_absent, true);
  EXPECT_FALSE(probe.unreachable);
}

TEST_F(StoreProbeTest, EachFlawIsFoundByItsCheck) {
  EXPECT_EQ(Bad(Run(Flaw::kUnreachable)), "fail reachable");
  EXPECT_EQ(Bad(Run(Flaw::kReadOnly)), "fail put");
  EXPECT_EQ(Bad(Run(Flaw::kOverwrites)), "warn put-if-absent");
  EXPECT_EQ(Bad(Run(Flaw::kOverwrites, StoreWriters::kOne)), "warn put-if-absent");
  EXPECT_EQ(Bad(Run(Flaw::kNoListRight)), "fail absent");
  EXPECT_TRUE(Bad(Run(Flaw::kForgetsNothing)).starts_with("fail read-after-put"));
  EXPECT_EQ(Bad(Run(Flaw::kBadRange)), "fail ranged-get");
  EXPECT_EQ(Bad(Run(Flaw::kNoDelete)), "fail delete");
  EXPECT_EQ(Bad(Run(Flaw::kWrongSize)), "fail head");
  EXPECT_EQ(Bad(Run(Flaw::kSkewed)), "fail clock");
  EXPECT_EQ(Bad(Run(Flaw::kStaleList)), "warn list");
}

TEST_F(StoreProbeTest, AFindingSaysWhatFollowsAndWhatToDo) {
  EXPECT_EQ(Run(Flaw::kOverwrites).traits.put_if_absent, false);
  const StoreProbe probe = Run(Flaw::kUnreachable);
  ASSERT_TRUE(probe.unreachable);
  EXPECT_EQ(probe.findings.back().remedy, "allow it");
  EXPECT_NE(probe.findings.back().text.find("nothing can be uploaded"), std::string::npos);
}

TEST_F(StoreProbeTest, AStoreThatRefusesChecksumsIsToldApart) {
  MemoryObjectStore memory(&clock_);
  auto transport = std::make_shared<FakeHttpTransport>([](const FakeHttpTransport::Sent& sent) -> FakeAnswer {
    return {sent.Header("x-amz-checksum-crc32c").empty() ? 200 : 501, {}, ""};
  });
  S3ObjectStore s3(*ParseS3Url("s3://b?endpoint=http://h"), transport,
                   std::make_shared<FixedAwsCredentials>(AwsCredentials{"id", Secret("key"), Secret(""), {}}), clock_);
  const SharedBytes bytes = SharedBytes::Copy(AsBytes("x"));
  ASSERT_TRUE(s3.Put("k", std::span(&bytes, 1), PutMode::kOverwrite));
  SeededRandom random(1);
  const StoreProbe probe = ProbeStore(memory, random, clock_, &s3);
  EXPECT_EQ(Bad(probe), "warn checksum");
  EXPECT_FALSE(probe.traits.takes_checksums);
}

/// An S3 whose bucket answers the three questions so.
class BucketRulesTest : public testing::Test {
 protected:
  std::string Bad(const FakeAnswer& versioning, const FakeAnswer& lock, const FakeAnswer& lifecycle) {
    return StoreProbeTest::Bad(Run(versioning, lock, lifecycle, kNoEncryption));
  }
  StoreProbe Run(const FakeAnswer& versioning, const FakeAnswer& lock, const FakeAnswer& lifecycle,
                 const FakeAnswer& encryption) {
    auto transport = std::make_shared<FakeHttpTransport>([&](const FakeHttpTransport::Sent& sent) -> FakeAnswer {
      if (sent.target.contains("versioning")) return versioning;
      if (sent.target.contains("object-lock")) return lock;
      if (sent.target.contains("lifecycle")) return lifecycle;
      if (sent.target.contains("encryption")) return encryption;
      return {200, {}, ""};
    });
    S3ObjectStore s3(*ParseS3Url("s3://b/logs/prod?endpoint=http://h"), transport,
                     std::make_shared<FixedAwsCredentials>(AwsCredentials{"id", Secret("key"), Secret(""), {}}),
                     clock_);
    MemoryObjectStore memory(&clock_);
    SeededRandom random(1);
    StoreProbe probe = ProbeStore(memory, random, clock_, &s3);
    EXPECT_EQ(probe.findings.size(), 15u);
    EXPECT_EQ(probe.findings.back().check, "encryption");
    return probe;
  }
  /// What is said of a bucket that encrypts so.
  Finding Encrypted(const FakeAnswer& encryption) {
    return Run(kNoVersions, kNoLock, kNoRules, encryption).findings.back();
  }
  static FakeAnswer Encryption(const std::string& algorithm, const std::string& bucket_key) {
    return {200,
            {},
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>" + algorithm +
                "</SSEAlgorithm><KMSMasterKeyID>arn:aws:kms:eu:1:key/canary</KMSMasterKeyID>"
                "</ApplyServerSideEncryptionByDefault>" +
                bucket_key + "</Rule></ServerSideEncryptionConfiguration>"};
  }
  static FakeAnswer Rules(const std::string& rules) {
    return {200, {}, "<LifecycleConfiguration>" + rules + "</LifecycleConfiguration>"};
  }
  const FakeAnswer kNoVersions{200, {}, "<VersioningConfiguration/>"};
  const FakeAnswer kNoLock{404, {}, "<Error><Code>ObjectLockConfigurationNotFoundError</Code></Error>"};
  const FakeAnswer kNoRules{404, {}, "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>"};
  const FakeAnswer kNoEncryption{404, {}, "<Error><Code>ServerSideEncryptionConfigurationNotFoundError</Code></Error>"};
  const FakeAnswer kRefused{403, {}, "<Error><Code>AccessDenied</Code></Error>"};
  SimClock clock_;
};

TEST_F(BucketRulesTest, WhatIsSetOnABucketIsTold) {
  EXPECT_EQ(Bad(kNoVersions, kNoLock, kNoRules), "");
  EXPECT_EQ(Bad(kRefused, kRefused, kRefused), "");
  EXPECT_EQ(
      Bad({200, {}, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"}, kNoLock, kNoRules),
      "warn versions");
  EXPECT_EQ(Bad(kNoVersions,
                {200,
                 {},
                 "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"},
                kNoRules),
            "warn object-lock");
}

TEST_F(BucketRulesTest, OnlyRulesThatReachUnderThePrefixAndDeleteByAgeCount) {
  const auto rule = [](const std::string& filter, const std::string& action = "<Expiration><Days>1</Days></Expiration>",
                       const std::string& status = "Enabled") {
    return "<Rule><ID>r</ID>" + filter + "<Status>" + status + "</Status>" + action + "</Rule>";
  };
  for (const std::string& reaching :
       {rule(""), rule("<Prefix>logs/</Prefix>"), rule("<Filter/>"),
        rule("<Filter><Prefix>logs/prod/0</Prefix></Filter>"),
        rule("<Filter><And><Prefix>lo</Prefix><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>")})
    EXPECT_EQ(Bad(kNoVersions, kNoLock, Rules(reaching)), "fail lifecycle") << reaching;
  for (const std::string& harmless : {rule("<Filter><Prefix>other/</Prefix></Filter>"),
                                      rule("", "<Expiration><Days>1</Days></Expiration>", "Disabled"),
                                      rule("", "<Transition><Days>1</Days></Transition>"),
                                      rule("<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>")})
    EXPECT_EQ(Bad(kNoVersions, kNoLock, Rules(harmless)), "") << harmless;
}

TEST_F(BucketRulesTest, EncryptionByAKeyOfKmsIsToldWithWhatItCosts) {
  const std::string on = "<BucketKeyEnabled>true</BucketKeyEnabled>";
  for (const FakeAnswer& harmless :
       {kNoEncryption, Encryption("AES256", ""), kRefused, FakeAnswer{200, {}, "<html>not XML"}}) {
    const Finding finding = Encrypted(harmless);
    EXPECT_EQ(finding.level, FindingLevel::kOk) << finding.text;
    EXPECT_FALSE(finding.text.contains("kms:")) << finding.text;
  }
  const Finding cheap = Encrypted(Encryption("aws:kms", on));
  EXPECT_EQ(cheap.level, FindingLevel::kOk);
  EXPECT_TRUE(cheap.text.contains("kms:GenerateDataKey and kms:Decrypt")) << cheap.text;
  for (const std::string& off : {std::string(), std::string("<BucketKeyEnabled>false</BucketKeyEnabled>")}) {
    const Finding dear = Encrypted(Encryption("aws:kms", off));
    EXPECT_EQ(dear.level, FindingLevel::kWarn);
    EXPECT_TRUE(dear.text.contains("each upload and each ranged read is a call of KMS")) << dear.text;
    EXPECT_TRUE(dear.remedy.contains("bucket key")) << dear.remedy;
  }
  // Two layers have no bucket keys, whatever the bucket says.
  const Finding twice = Encrypted(Encryption("aws:kms:dsse", on));
  EXPECT_EQ(twice.level, FindingLevel::kWarn);
  EXPECT_TRUE(twice.text.starts_with("aws:kms:dsse without a bucket key")) << twice.text;
}

}  // namespace
}  // namespace millrace
