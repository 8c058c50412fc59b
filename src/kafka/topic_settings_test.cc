// Goal: topic settings read and print as Kafka spells them. Method: tables of texts, good and bad.
#include "kafka/topic_settings.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(TopicSettingsTest, KafkaSpellingComesBack) {
  TopicOptions options;
  ASSERT_TRUE(ApplyTopicSettings(std::vector<std::string>{"retention.ms=7d", "retention.bytes=1GiB",
                                                          "millrace.durability=object", "cleanup.policy=delete"},
                                 options));
  EXPECT_EQ(TopicSettings(options), (std::vector<std::pair<std::string, std::string>>{{"retention.ms", "604800000"},
                                                                                      {"retention.bytes", "1073741824"},
                                                                                      {"millrace.durability", "object"},
                                                                                      {"cleanup.policy", "delete"}}));
  ASSERT_TRUE(ApplyTopicSetting("retention.ms=-1", options));
  ASSERT_TRUE(ApplyTopicSetting("retention.bytes=-1", options));
  EXPECT_EQ(options.retention_time, std::nullopt);
  EXPECT_EQ(options.retention_bytes, std::nullopt);
}

TEST(TopicSettingsTest, WrongOnesAreRefusedWithTheNearestName) {
  TopicOptions options;
  for (const char* setting : {"retention.ms", "retention.ms=", "retention.ms=x", "retention.bytes=-2",
                              "cleanup.policy=none", "millrace.durability=tape"}) {
    auto result = ApplyTopicSetting(setting, options);
    ASSERT_FALSE(result) << setting;
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
  }
  auto unknown = ApplyTopicSetting("retention.sm=5", options);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().hint().find("Did you mean retention.ms"), std::string_view::npos);
}

}  // namespace
}  // namespace millrace
