// Goal: what fails in the background is a finding of `status --check`, with words, and with what decides the exit code.
// Method: statistics made up for the occasion.
#include "inspect/status_check.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(StatusCheckTest, ALogThatIsWellHasNoFindings) { EXPECT_TRUE(CheckStatus({}, EngineStats(), 1 << 30).empty()); }

TEST(StatusCheckTest, ADiskCacheThatCannotBeHadIsAFinding) {
  EngineStats stats;
  stats.cache_failure = {.error = Error(ErrorCode::kOutOfSpace, "cannot write /c/chunks/1: no space"),
                         .since_ms = 1'767'225'600'000,
                         .times = 7};
  const auto findings = CheckStatus({}, stats, 1 << 30);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_FALSE(findings.front().damage);
  EXPECT_TRUE(findings.front().unreachable);
  EXPECT_NE(findings.front().text.find("disk cache"), std::string::npos) << findings.front().text;
  EXPECT_NE(findings.front().text.find("/c/chunks/1: no space (7 times since 2026-01-01T00:00:00.000Z)"),
            std::string::npos)
      << findings.front().text;
}

TEST(StatusCheckTest, AStoreThatCannotBeFollowedIsAFinding) {
  EngineStats stats;
  stats.follow.emplace();
  EXPECT_TRUE(CheckStatus({}, stats, 1 << 30).empty());
  stats.follow->failure = {.error = Error(ErrorCode::kUnavailable, "no answer"), .since_ms = 0, .times = 2};
  const auto findings = CheckStatus({}, stats, 1 << 30);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_TRUE(findings.front().unreachable);
  EXPECT_NE(findings.front().text.find("not seen: no answer"), std::string::npos) << findings.front().text;
}

TEST(StatusCheckTest, FindsWhatIsWrong) {
  TopicDescription topic{.name = "t"};
  topic.partitions.push_back({.offsets = {Offset(0), Offset(0), Offset(5), Offset(7), Offset(7)}});
  EngineStats stats;
  EXPECT_TRUE(CheckStatus({&topic, 1}, stats, 100).empty());
  stats.upload_pending_bytes = 51;
  auto findings = CheckStatus({&topic, 1}, stats, 100);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings.front().damage);
  EngineStats failing;
  failing.upload_failure = BackgroundFailure{Error(ErrorCode::kPermissionDenied, "403"), 0, 3};
  findings = CheckStatus({&topic, 1}, failing, 100);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(findings.front().unreachable);
  EXPECT_NE(findings.front().text.find("403 (3 times since 1970-01-01"), std::string::npos) << findings.front().text;
  topic.partitions.front().broken = Error(ErrorCode::kCorruption, "no metadata");
  EXPECT_TRUE(CheckStatus({&topic, 1}, {}, 100).front().damage);
  topic.partitions.front().broken.reset();
  topic.partitions.front().offsets.tiered_end = Offset(8);
  stats.corruptions = 1;
  findings = CheckStatus({&topic, 1}, stats, 100);
  EXPECT_EQ(findings.size(), 3u);
  EXPECT_TRUE(findings.front().damage);
}

}  // namespace
}  // namespace millrace
