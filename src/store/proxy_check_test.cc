// Goal: a proxy that the environment names for requests to a store is told, with what this program does instead, and
// never with its password. Method: environments made by hand.
#include "store/proxy_check.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace millrace {
namespace {

using Variables = std::map<std::string, std::string>;

/// "warn" or "ok" and the text; "" without a finding.
std::string Told(const std::string& url, const Variables& variables, StoreReached reached = StoreReached::kNo) {
  AwsSurroundings surroundings;
  surroundings.variable = [&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  const auto settings = ParseS3Url(url);
  EXPECT_TRUE(settings) << url;
  const auto finding = CheckProxy(*settings, surroundings, reached);
  if (!finding) return "";
  EXPECT_EQ(finding->check, "proxy");
  EXPECT_EQ(finding->remedy.empty(), finding->level == FindingLevel::kOk);
  return (finding->level == FindingLevel::kOk ? "ok " : "warn ") + finding->text;
}

constexpr const char* kTls = "s3://logs/prod?region=eu-central-1";
constexpr const char* kPlain = "s3://logs/prod?endpoint=http://minio.local:9000";
const std::string kProxy = "http://user:canary@proxy:3128";

TEST(ProxyCheckTest, WithoutAVariableThereIsNothingToTell) {
  EXPECT_EQ(Told(kTls, {}), "");
  EXPECT_EQ(Told(kTls, {{"NO_PROXY", "*"}}), "");
  EXPECT_EQ(Told(kTls, {{"HTTP_PROXY", kProxy}}), "");  // for another scheme
  EXPECT_EQ(Told(kPlain, {{"HTTPS_PROXY", kProxy}}), "");
}

TEST(ProxyCheckTest, AProxyThatIsNamedIsSaidNotToBeObeyed) {
  for (const char* variable : {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}) {
    const std::string told = Told(kTls, {{variable, kProxy}});
    EXPECT_TRUE(told.starts_with("warn " + std::string(variable) + " is set and not obeyed: requests go to ")) << told;
    EXPECT_TRUE(told.contains("logs.s3.eu-central-1.amazonaws.com straight")) << told;
    EXPECT_FALSE(told.contains("canary")) << told;
  }
  EXPECT_TRUE(Told(kPlain, {{"http_proxy", kProxy}}).starts_with("warn http_proxy "));
  const std::string reached = Told(kTls, {{"HTTPS_PROXY", kProxy}}, StoreReached::kYes);
  EXPECT_TRUE(reached.starts_with("ok HTTPS_PROXY is set and not obeyed")) << reached;
  EXPECT_TRUE(reached.ends_with("and did arrive")) << reached;
}

TEST(ProxyCheckTest, WhatNoProxyLeavesOutNeedsNone) {
  const auto told = [](const std::string& no_proxy) {
    return Told(kPlain, {{"HTTP_PROXY", kProxy}, {"NO_PROXY", no_proxy}});
  };
  for (const char* entries : {"*", "minio.local", "other, minio.local", ".local", "local", "*.local", "MINIO.Local",
                              "minio.local:9000", "a b\tminio.local"})
    EXPECT_TRUE(told(entries).starts_with("ok HTTP_PROXY is set, and NO_PROXY leaves minio.local out")) << entries;
  for (const char* entries : {"", ",", ".", "inio.local", "minio", "minio.local:9001", "a.minio.local", "10.0.0.0/8"})
    EXPECT_TRUE(told(entries).starts_with("warn ")) << entries;
}

}  // namespace
}  // namespace millrace
