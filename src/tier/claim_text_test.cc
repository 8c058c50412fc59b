// Goal: the texts that say whose a store is are read as written, or told as damaged: never as a stranger's.
#include "tier/claim_text.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

const ClaimText kClaim{.identity = "00112233445566778899aabbccddeeff",
                       .generation = 12,
                       .nonce = 0xfeedbeef,
                       .how = ClaimText::How::kTakesOver,
                       .nonce_before = 0x10,
                       .host = "host.example",
                       .at_ms = 1'700'000'000'000};

TEST(ClaimTextTest, ReadsAsItIsInThePage) {
  EXPECT_EQ(Encode(kClaim),
            "millrace claim 1\nidentity 00112233445566778899aabbccddeeff\ngeneration 12 nonce feedbeef\n"
            "takes over 00000010\nhost host.example\nat 2023-11-14T22:13:20Z\ncrc 38ce5682\n");
  const LogText log{.identity = kClaim.identity, .made_ms = kClaim.at_ms, .host = "h"};
  EXPECT_EQ(Encode(log),
            "millrace log 1\nidentity 00112233445566778899aabbccddeeff\nmade 2023-11-14T22:13:20Z by h\n"
            "crc 24f672dd\n");
}

TEST(ClaimTextTest, ReadsAsItWasWritten) {
  using enum ClaimText::How;
  for (const auto how : {kFirst, kContinues, kTakesOver, kReleases, kMovedTo, kComesFrom}) {
    ClaimText claim = kClaim;
    claim.how = how;
    if (how > kReleases) claim.place = "s3://bucket/a b\nc";
    claim.host = how == ClaimText::How::kFirst ? "" : "two words\n and a line";
    if (how == kFirst || how > kReleases) claim.nonce_before = 0;
    const auto read = ParseClaimText(Encode(claim));
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(read->how, how);
    EXPECT_EQ(read->generation, claim.generation);
    EXPECT_EQ(read->nonce, claim.nonce);
    EXPECT_EQ(read->nonce_before, claim.nonce_before);
    EXPECT_EQ(read->at_ms, claim.at_ms);
    EXPECT_EQ(read->place, how > kReleases ? "s3://bucket/a b?c" : "");
    // What an earlier release would misunderstand it refuses by name.
    EXPECT_EQ(Encode(claim).starts_with("millrace claim 2\n"), how >= kReleases);
    EXPECT_EQ(read->host, how == ClaimText::How::kFirst ? "" : "two words? and a line");
  }
  const auto log = ParseLogText(Encode(LogText{.identity = "id", .made_ms = 5'000, .host = "h by i"}));
  ASSERT_TRUE(log) << log.error().ToString();
  EXPECT_EQ(log->identity, "id");
  EXPECT_EQ(log->made_ms, 5'000);
  EXPECT_EQ(log->host, "h by i");
}

TEST(ClaimTextTest, TheTextOfEarlierReleasesIsALogToo) {
  const auto log = ParseLogText("millrace identity 00112233445566778899aabbccddeeff\ncrc dbe10d20\n");
  ASSERT_TRUE(log) << log.error().ToString();
  EXPECT_EQ(log->identity, kClaim.identity);
}

TEST(ClaimTextTest, EveryFlippedBitAndEveryCutIsDamage) {
  for (const std::string& text : {Encode(kClaim), Encode(LogText{.identity = "id", .made_ms = 1, .host = "h"})}) {
    const auto parses = [](const std::string& one) { return ParseClaimText(one).has_value() || ParseLogText(one); };
    ASSERT_TRUE(parses(text));
    for (std::size_t at = 0; at < text.size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string flipped = text;
        flipped[at] = static_cast<char>(flipped[at] ^ (1U << bit));
        EXPECT_FALSE(parses(flipped)) << at << " " << bit;
        EXPECT_EQ(ParseClaimText(flipped).error().code(), ErrorCode::kCorruption);
      }
      EXPECT_FALSE(parses(text.substr(0, at))) << at;
    }
  }
}

TEST(ClaimTextTest, TimesThatNoClaimCanHaveDoNoHarm) {
  EXPECT_EQ(TimeText(-1), "1970-01-01T00:00:00Z");
  EXPECT_EQ(TimeText(INT64_MAX), "9999-12-31T23:59:59Z");
}

}  // namespace
}  // namespace millrace
