// Goal: settings, places and errors read and print as the manual says. Method: tables of texts, good and bad.
#include <gtest/gtest.h>

#include <map>

#include "cli/data_location.h"
#include "cli/engine_settings.h"
#include "cli/error_report.h"
#include "cli/exit_code.h"
#include "cli/explanation.h"
#include "cli/offset_choice.h"
#include "cli/pacing.h"
#include "cli/status_check.h"
#include "cli/topic_settings.h"

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

TEST(OffsetChoiceTest, EveryForm) {
  using Kind = OffsetChoice::Kind;
  EXPECT_EQ(*ParseOffsetChoice("--from", "earliest"), (OffsetChoice{Kind::kEarliest, 0}));
  EXPECT_EQ(*ParseOffsetChoice("--from", "latest"), (OffsetChoice{Kind::kLatest, 0}));
  EXPECT_EQ(*ParseOffsetChoice("--from", "4711"), (OffsetChoice{Kind::kOffset, 4711}));
  EXPECT_EQ(*ParseOffsetChoice("--from", "@1970-01-01T00:01Z"), (OffsetChoice{Kind::kTime, 60'000}));
  for (const char* text : {"", "-1", "first", "@", "@never", "5x", "earliest "}) {
    auto choice = ParseOffsetChoice("--until", text);
    ASSERT_FALSE(choice) << text;
    EXPECT_NE(choice.error().message().find("--until"), std::string_view::npos);
  }
}

Environment FakeEnvironment(std::map<std::string, std::string> variables) {
  return [variables](const char* name) -> std::optional<std::string> {
    auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

Result<EngineOptions> Locate(std::map<std::string, std::string> flags, std::map<std::string, std::string> variables) {
  Arguments arguments;
  for (auto& [key, value] : flags) arguments.Add(key, value);
  return LocateEngine(arguments, FakeEnvironment(variables));
}

TEST(DataLocationTest, FlagWinsOverEnvironment) {
  EXPECT_EQ(Locate({{"--data-dir", "a"}}, {{"MILLRACE_DATA_DIR", "b"}})->data_dir, "a");
  EXPECT_EQ(Locate({{"--data-dir", "a"}}, {{"MILLRACE_SERVER", "h:1"}})->data_dir, "a");
  EXPECT_EQ(Locate({}, {{"MILLRACE_DATA_DIR", "b"}})->data_dir, "b");
}

TEST(DataLocationTest, NothingBothOrAServerIsAMistakeThatNamesTheDirectoryFlag) {
  for (const auto& located : {Locate({}, {}), Locate({{"--server", "h:1"}}, {}),
                              Locate({}, {{"MILLRACE_SERVER", "h:1"}}), Locate({{"--data-dir", ""}}, {})}) {
    ASSERT_FALSE(located);
    EXPECT_EQ(ExitCodeOf(located.error().code()), ExitCode::kUsage);
    EXPECT_NE(located.error().hint().find("--data-dir"), std::string_view::npos);
  }
  for (const auto& located : {Locate({{"--data-dir", "a"}, {"--server", "h:1"}}, {}),
                              Locate({}, {{"MILLRACE_DATA_DIR", "a"}, {"MILLRACE_SERVER", "h:1"}})}) {
    ASSERT_FALSE(located);
    EXPECT_NE(located.error().message().find("both given"), std::string_view::npos);
  }
}

TEST(EngineSettingsTest, EveryDefaultReadsAsItIsShown) {
  for (const EngineSetting& setting : EngineSettings()) {
    EngineOptions options;
    const std::string shown = setting.show(options);
    if (shown.empty()) continue;  // set by nobody, and by no text
    EXPECT_TRUE(setting.set(options, shown)) << setting.name << ' ' << shown;
    EXPECT_EQ(setting.show(options), shown) << setting.name;
  }
  for (const char* wrong :
       {"engine.sync=x", "read.eviction=x", "upload.codec=x", "read.fetch_size=0", "engine.wal_bytes_max=x",
        "engine.append_wait_max=x", "read.prefetch_enabled=yes", "engine.data_dir="}) {
    Arguments arguments;
    arguments.Add("--set", wrong);
    EXPECT_FALSE(Configure(arguments, FakeEnvironment({}))) << wrong;
  }
  EXPECT_EQ((*FindEngineSetting("engine.wal_bytes_max"))->variable(), "MILLRACE_ENGINE__WAL_BYTES_MAX");
  EXPECT_NE(FindEngineSetting("upload.kodec").error().hint().find("upload.codec"), std::string_view::npos);
}

TEST(EngineSettingsTest, FlagBeforeEnvironmentBeforeDefault) {
  Arguments arguments;
  arguments.Add("--set", "engine.wal_bytes_max=1GiB");
  auto set = Configure(
      arguments, FakeEnvironment({{"MILLRACE_ENGINE__WAL_BYTES_MAX", "2GiB"}, {"MILLRACE_UPLOAD__CODEC", "zstd"}}));
  ASSERT_TRUE(set) << set.error().ToString();
  EXPECT_EQ(set->options.wal_bytes_max, 1u << 30);
  EXPECT_EQ(set->OriginOf("engine.wal_bytes_max"), "--set");
  EXPECT_EQ(set->options.upload.codec, SegmentCodec::kZstd);
  EXPECT_EQ(set->OriginOf("upload.codec"), "MILLRACE_UPLOAD__CODEC");
  EXPECT_EQ(set->OriginOf("engine.sync"), "default");
  arguments.Add("--set", "engine.sync=sometimes");
  EXPECT_FALSE(Configure(arguments, FakeEnvironment({})));
}

TEST(OffsetChoiceTest, SecondsAndMicrosecondsAreNotTakenForMilliseconds) {
  for (const char* text : {"@1767225600", "@1767225600000000", "@1767225600000000000"})
    EXPECT_EQ(ParseOffsetChoice("--from", text).error().code(), ErrorCode::kInvalidArgument) << text;
  for (const char* text : {"@0", "@1000", "@1767225600000", "@now", "@-1w"})
    EXPECT_TRUE(ParseOffsetChoice("--from", text)) << text;
}

TEST(DataLocationTest, SyncPolicies) {
  EXPECT_EQ(ParseSyncPolicy("each")->kind, SyncPolicy::Kind::kEach);
  EXPECT_EQ(ParseSyncPolicy("none")->kind, SyncPolicy::Kind::kNone);
  EXPECT_EQ(ParseSyncPolicy("interval:5ms")->interval, std::chrono::milliseconds(5));
  for (const char* text : {"", "interval", "interval:", "interval:0ms", "always"})
    EXPECT_FALSE(ParseSyncPolicy(text)) << text;
  EXPECT_FALSE(Locate({{"--data-dir", "a"}, {"--sync", "sometimes"}}, {}));
}

TEST(ExitCodeTest, TableOfTheManual) {
  EXPECT_EQ(ExitCodeOf(ErrorCode::kInvalidArgument), ExitCode(2));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kNotFound), ExitCode(3));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kAlreadyExists), ExitCode(4));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kUnavailable), ExitCode(6));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kTimeout), ExitCode(6));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kCorruption), ExitCode(9));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kFenced), ExitCode(4));
  EXPECT_EQ(ExitCodeOf(ErrorCode::kPermissionDenied), ExitCode(5));
  for (ErrorCode code : {ErrorCode::kOutOfRange, ErrorCode::kOutOfSpace, ErrorCode::kClosed, ErrorCode::kUnsupported,
                         ErrorCode::kInternal}) {
    EXPECT_EQ(ExitCodeOf(code), ExitCode(1));
  }
}

TEST(ErrorReportTest, OneParagraphAndTheSameAsJson) {
  Error error =
      Error(ErrorCode::kOutOfRange, "offset 7 is past the end", "Read from 0.").WithBounds({Offset(100), Offset(480)});
  EXPECT_EQ(ErrorReport(error, ErrorForm::kText), "millrace: offset 7 is past the end. Read from 0. [kOutOfRange]\n");
  EXPECT_EQ(ErrorReport(error, ErrorForm::kJson),
            "{\"error\":{\"code\":\"kOutOfRange\",\"kafka_code\":1,\"message\":\"offset 7 is past the end\","
            "\"hint\":\"Read from 0.\",\"retryable\":false,\"log_start\":100,\"log_end\":480}}\n");
}

TEST(ErrorReportTest, DamageIsNamedInJson) {
  Error error =
      Error(ErrorCode::kCorruption, "bad").WithDamage({{"t", PartitionId(1)}, Offset(5), Offset(9), "obj", 16, 32});
  std::string report = ErrorReport(error, ErrorForm::kJson);
  EXPECT_NE(
      report.find(
          R"("damage":{"topic":"t","partition":1,"begin":5,"end":9,"place":"obj","byte_begin":16,"byte_end":32})"),
      std::string::npos)
      << report;
}

TEST(ExplanationTest, LineOfTheManual) {
  ReadExplanation explanation;
  explanation.bytes.object_store = 1 << 20;
  explanation.requests = 1;
  explanation.prefetched = 4096;
  explanation.wait = std::chrono::microseconds(41'200);
  explanation.wait_by_cause.store = std::chrono::microseconds(40'000);
  explanation.wait_by_cause.shared = std::chrono::microseconds(1'200);
  explanation.cost_usd = 4e-7;
  explanation.ranges = {{"ab/cd.obj", 4096, 1 << 20}};
  EXPECT_EQ(
      ExplanationJson(explanation),
      "{\"explain\":{\"bytes\":{\"tail\":0,\"wal\":0,\"block_cache\":0,\"segment_cache\":0,\"object_store\":1048576},"
      "\"requests\":1,\"shared\":0,\"wait_ms\":41.2,\"cost_usd\":4e-07,\"prefetched\":4096,"
      "\"wait_by_cause_ms\":{\"sync\":0,\"store\":40,\"shared\":1.2,\"memory\":0,\"cache\":0},"
      "\"ranges\":[{\"object\":\"ab/cd.obj\",\"offset\":4096,\"length\":1048576}]}}\n");
}

TEST(ExplanationTest, TheFirstThousandRangesAreKept) {
  ReadExplanation sum, read;
  read.requests = 600;
  read.ranges.assign(600, {"object", 0, 1});
  for (int i = 0; i < 3; ++i) sum.Add(read);
  EXPECT_EQ(sum.requests, 1800U);
  EXPECT_EQ(sum.ranges.size(), 1000U);
}

TEST(PacingTest, RecordsAreDueAtTheRate) {
  EXPECT_EQ(ParseRate("1000"), 1000u);
  EXPECT_EQ(ParseRate("1000/s"), 1000u);
  for (const char* text : {"", "0", "-1", "x", "10/m", "10000000000"}) EXPECT_EQ(ParseRate(text), std::nullopt) << text;
  Pacing::Time start;
  Pacing pacing(1000, start);
  EXPECT_EQ(pacing.due(), start);
  pacing.Sent(2500);
  EXPECT_EQ(pacing.due(), start + std::chrono::milliseconds(2500));
  EXPECT_EQ(pacing.slice(), 11u);
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
  EXPECT_EQ(findings.front().code, ExitCode::kUnreachable);
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
