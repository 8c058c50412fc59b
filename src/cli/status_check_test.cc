// Goal: what fails in the background is a finding of `status --check`, with words and the exit code that is promised.
// Method: statistics made up for the occasion.
#include "cli/status_check.h"

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
  EXPECT_EQ(findings.front().code, ExitCode::kUnreachable);
  EXPECT_NE(findings.front().text.find("disk cache"), std::string::npos) << findings.front().text;
  EXPECT_NE(findings.front().text.find("/c/chunks/1: no space (7 times since 2026-01-01T00:00:00.000Z)"),
            std::string::npos)
      << findings.front().text;
}

}  // namespace
}  // namespace millrace
