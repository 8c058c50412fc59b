// Goal: settings and places read and print as the manual says. Method: tables of texts, good and bad.
#include <gtest/gtest.h>

#include <map>

#include "cli/exit_code.h"
#include "cli/parse/data_location.h"
#include "cli/parse/engine_settings.h"
#include "cli/parse/offset_choice.h"

namespace millrace {
namespace {

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

TEST(DataLocationTest, AServerIsNamedByFlagOrEnvironment) {
  const auto locate = [](std::map<std::string, std::string> flags, std::map<std::string, std::string> variables) {
    Arguments arguments;
    for (auto& [key, value] : flags) arguments.Add(key, value);
    return LocateLog(arguments, FakeEnvironment(std::move(variables)));
  };
  EXPECT_EQ(locate({{"--server", "h:1"}}, {{"MILLRACE_SERVER", "g:2"}, {"MILLRACE_DATA_DIR", "d"}})->server,
            (client::Address{"h", 1}));
  EXPECT_EQ(locate({}, {{"MILLRACE_SERVER", "g"}})->server, (client::Address{"g", 9092}));
  EXPECT_FALSE(locate({{"--data-dir", "d"}}, {{"MILLRACE_SERVER", "g"}})->server);
  EXPECT_EQ(locate({}, {})->server, (client::Address{"localhost", 9092}));
  EXPECT_FALSE(locate({{"--store", "file:"}}, {}));
  EXPECT_FALSE(locate({{"--server", "h:x"}}, {}));
  for (const char* flag : {"--store", "--metadata", "--sync", "--name-space", "--read-only", "--wait"})
    EXPECT_EQ(locate({{"--server", "h:1"}, {flag, "each"}}, {}).error().code(), ErrorCode::kInvalidArgument) << flag;
}

TEST(DataLocationTest, AStoreAloneNamesALogThatIsOnlyRead) {
  const auto locate = [](std::map<std::string, std::string> flags, std::map<std::string, std::string> variables) {
    Arguments arguments;
    for (auto& [key, value] : flags) arguments.Add(key, value);
    return LocateLog(arguments, FakeEnvironment(std::move(variables)));
  };
  const std::string store = "file:///log";
  const auto named = locate({{"--store", store}, {"--read-only", ""}}, {{"MILLRACE_DATA_DIR", "d"}});
  ASSERT_TRUE(named);
  EXPECT_FALSE(named->server);
  EXPECT_TRUE(named->options.data_dir.empty());
  EXPECT_EQ(named->options.object_store, store);
  EXPECT_TRUE(named->options.read_only);
  EXPECT_EQ(locate({{"--read-only", ""}, {"--data-dir", "d"}}, {})->options.data_dir, "d");
  EXPECT_FALSE(locate({{"--store", store}}, {})) << "to write it, a directory is needed";
  EXPECT_FALSE(locate({{"--read-only", ""}}, {}));
  EXPECT_EQ(Locate({{"--store", store}, {"--read-only", ""}}, {}).error().code(), ErrorCode::kInvalidArgument);
}

TEST(DataLocationTest, VerbsOnFilesRefuseAServerByName) {
  Arguments arguments;
  arguments.NameVerb("cursor read");
  arguments.Add("--server", "h:1");
  const auto located = LocateEngine(arguments, FakeEnvironment({}));
  ASSERT_FALSE(located);
  EXPECT_EQ(located.error().message(), "cursor read works on the files of a log: use --data-dir");
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
    if (shown.empty()) continue;  // unset, and no text sets it so
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

}  // namespace
}  // namespace millrace
