// Goal: the probe tells what a store lacks and what follows from it, and leaves nothing behind. Method: a good store,
// and one of each way to be bad.
#include "store/store_probe.h"

#include <gtest/gtest.h>

#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "http/fake_http_transport.h"
#include "store/memory_object_store.h"
#include "store/s3/s3_object_store.h"

namespace millrace {
namespace {

enum class Flaw { kNone, kUnreachable, kReadOnly, kOverwrites, kBadRange, kNoDelete, kWrongSize, kSkewed, kStaleList };

class FlawedStore final : public ObjectStore {
 public:
  FlawedStore(Flaw flaw, const Clock& clock) : flaw_(flaw), memory_(&clock) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    if (flaw_ == Flaw::kReadOnly) return Refusal();
    return memory_.Put(key, pieces, flaw_ == Flaw::kOverwrites ? PutMode::kOverwrite : mode);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    if (flaw_ == Flaw::kBadRange && range.offset > 0) range.offset += 1;
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
  MemoryObjectStore memory_;
};

class StoreProbeTest : public testing::Test {
 protected:
  StoreProbe Run(Flaw flaw) {
    FlawedStore store(flaw, clock_);
    SeededRandom random(1);
    StoreProbe probe = ProbeStore(store, random, clock_);
    if (flaw != Flaw::kNoDelete && flaw != Flaw::kUnreachable) {
      EXPECT_TRUE(store.List("", "", 10)->objects.empty());
    }
    return probe;
  }
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

  SimClock clock_;
};

TEST_F(StoreProbeTest, AGoodStoreIsGoodInEveryCheck) {
  const StoreProbe probe = Run(Flaw::kNone);
  EXPECT_EQ(Bad(probe), "");
  EXPECT_EQ(probe.findings.size(), 9u);
  EXPECT_EQ(probe.traits.put_if_absent, true);
  EXPECT_FALSE(probe.unreachable);
}

TEST_F(StoreProbeTest, EachFlawIsFoundByItsCheck) {
  EXPECT_EQ(Bad(Run(Flaw::kUnreachable)), "fail reachable");
  EXPECT_EQ(Bad(Run(Flaw::kReadOnly)), "fail put");
  EXPECT_EQ(Bad(Run(Flaw::kOverwrites)), "warn put-if-absent");
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

}  // namespace
}  // namespace millrace
