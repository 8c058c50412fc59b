// Goal: a record printed and read again is the same record; null and empty stay apart. Method: exact lines for the
// shapes the manual shows, round trips by JSON and by pattern, and lines that must be refused.
#include <gtest/gtest.h>

#include "cli/parse/arguments.h"
#include "cli/records/record_format.h"
#include "cli/records/record_json.h"
#include "cli/records/record_lines.h"

namespace millrace {
namespace {

const TopicPartition kPlace{"t", PartitionId(3)};

RecordView View(std::optional<std::string_view> key, std::optional<std::string_view> value,
                std::span<const std::byte> headers = {}) {
  return RecordView(Offset(2), 1'767'225'600'000, key, value, headers, nullptr);
}

std::string Json(const RecordView& record) {
  std::string out;
  AppendRecordJson(out, kPlace, record);
  return out;
}

std::string Formatted(std::string_view pattern, const RecordView& record) {
  auto format = RecordFormat::Parse(pattern);
  EXPECT_TRUE(format) << pattern;
  std::string out;
  format->Append(out, kPlace, record);
  return out;
}

/// One header a = 1, as a batch holds it: count, key length, key, value length, value (varints, zigzag).
std::vector<std::byte> OneHeader() {
  return {std::byte{2}, std::byte{2}, std::byte{'a'}, std::byte{2}, std::byte{'1'}};
}

TEST(RecordJsonTest, LineIsAsTheManualShowsIt) {
  auto headers = OneHeader();
  EXPECT_EQ(Json(View(std::nullopt, "c", headers)),
            "{\"topic\":\"t\",\"partition\":3,\"offset\":2,\"timestamp_ms\":1767225600000,\"key\":null,\"value\":\"c\","
            "\"headers\":[{\"key\":\"a\",\"value\":\"1\"}]}\n");
}

TEST(RecordJsonTest, OneFieldThatIsNoTextTurnsAllIntoBase64) {
  auto headers = OneHeader();
  std::string line = Json(View("k", "\xFF", headers));
  EXPECT_TRUE(
      line.ends_with("\"key\":\"aw==\",\"value\":\"/w==\",\"headers\":[{\"key\":\"a\",\"value\":\"MQ==\"}],"
                     "\"encoding\":\"base64\"}\n"))
      << line;
}

TEST(RecordJsonTest, NullStaysNullAlsoInBase64) {
  std::string line = Json(View(std::nullopt, "\xFF"));
  EXPECT_NE(line.find("\"key\":null"), std::string::npos) << line;
}

TEST(RecordJsonTest, ComesBackEqual) {
  auto headers = OneHeader();
  for (auto key : {std::optional<std::string_view>(), std::optional<std::string_view>(""),
                   std::optional<std::string_view>("k\n\"")}) {
    for (auto value : {std::optional<std::string_view>(), std::optional<std::string_view>(""),
                       std::optional<std::string_view>("\xFF\x00z")}) {
      Record record;
      ASSERT_TRUE(ParseRecordJson(Json(View(key, value, headers)), record));
      EXPECT_EQ(record.key, key);
      EXPECT_EQ(record.value, value);
      EXPECT_EQ(record.timestamp_ms, 1'767'225'600'000);
      EXPECT_EQ(record.headers, (std::vector<Header>{{"a", "1"}}));
    }
  }
}

TEST(RecordJsonTest, WrongLinesAreRefused) {
  for (const char* line : {"", "x", "[]", "{\"value\":1}", "{\"timestamp_ms\":\"x\"}", "{\"headers\":{}}",
                           "{\"headers\":[1]}", "{\"headers\":[{\"value\":\"x\"}]}", "{\"encoding\":\"hex\"}",
                           "{\"encoding\":\"base64\",\"value\":\"*\"}", "{\"value\":\"a\"} x"}) {
    Record record;
    EXPECT_FALSE(ParseRecordJson(line, record)) << line;
  }
}

TEST(RecordFormatTest, EveryLetterAndEscape) {
  auto headers = OneHeader();
  EXPECT_EQ(Formatted("%t/%p@%o %T %k=%v %h %K %V%%\\n", View("k", "vv", headers)),
            "t/3@2 1767225600000 k=vv a=1 1 2%\n");
  EXPECT_EQ(Formatted("\\t\\r\\\\\\x41", View("", "")), "\t\r\\A");
  EXPECT_EQ(Formatted("[%v\\0]", View("", "v")), std::string("[v\0]", 4));
}

TEST(RecordFormatTest, NullPrintsNothingAndHasLengthMinusOne) {
  EXPECT_EQ(Formatted("%k|%v|%K|%V", View(std::nullopt, "")), "||-1|0");
}

TEST(RecordFormatTest, UnknownLettersAndEscapesAreRefused) {
  for (const char* pattern : {"%", "%z", "\\", "\\q", "\\x4", "\\xzz"})
    EXPECT_FALSE(RecordFormat::Parse(pattern)) << pattern;
}

LineOptions Options(std::initializer_list<std::pair<const char*, const char*>> flags) {
  Arguments arguments;
  for (auto [flag, value] : flags) arguments.Add(flag, value);
  auto options = LineOptionsOf(arguments);
  EXPECT_TRUE(options);
  return *options;
}

Record Parsed(std::string_view line, const LineOptions& options) {
  Record record;
  record.key = "left over";
  record.headers = {{"left", "over"}};
  EXPECT_TRUE(ParseLine(line, options, record)) << line;
  return record;
}

TEST(ParseLineTest, WholeLineIsTheValue) {
  Record record = Parsed("a b\r", Options({}));
  EXPECT_EQ(record.value, "a b\r");
  EXPECT_EQ(record.key, std::nullopt);
  EXPECT_TRUE(record.headers.empty());
  EXPECT_EQ(Parsed("", Options({})).value, "");
}

TEST(ParseLineTest, KeySeparator) {
  LineOptions options = Options({{"--key-separator", "::"}});
  EXPECT_EQ(Parsed("k::v::w", options).key, "k");
  EXPECT_EQ(Parsed("k::v::w", options).value, "v::w");
  EXPECT_EQ(Parsed("::v", options).key, "");
  EXPECT_EQ(Parsed("no separator", options).key, std::nullopt);
  EXPECT_EQ(Parsed("no separator", options).value, "no separator");
}

TEST(ParseLineTest, FixedKeyNullAndHeaders) {
  LineOptions options = Options({{"--key", "k"}, {"--null", "NULL"}, {"--header", "a=1"}, {"--header", "b="}});
  Record record = Parsed("NULL", options);
  EXPECT_EQ(record.key, "k");
  EXPECT_EQ(record.value, std::nullopt);
  EXPECT_EQ(record.headers, (std::vector<Header>{{"a", "1"}, {"b", ""}}));
}

TEST(ParseLineTest, PatternReadsWhatItPrints) {
  LineOptions options = Options({{"--format", "%T %k=%v\\n"}});
  Record record = Parsed("17 key=a = b", options);
  EXPECT_EQ(record.timestamp_ms, 17);
  EXPECT_EQ(record.key, "key");
  EXPECT_EQ(record.value, "a = b");
  Record wrong;
  EXPECT_FALSE(ParseLine("no equals sign", options, wrong));
  EXPECT_FALSE(ParseLine("x key=v", options, wrong));
}

TEST(ParseLineTest, FlagsThatExcludeEachOtherAreRefused) {
  for (auto flags : {std::vector<std::pair<const char*, const char*>>{{"--json", ""}, {"--format", "%v"}},
                     {{"--json", ""}, {"--key-separator", ":"}},
                     {{"--key-separator", ""}},
                     {{"--format", "%k%v"}},
                     {{"--format", "%k\\n%v"}},
                     {{"--format", "%K %v"}},
                     {{"--header", "no value"}}}) {
    Arguments arguments;
    for (auto [flag, value] : flags) arguments.Add(flag, value);
    EXPECT_FALSE(LineOptionsOf(arguments)) << flags.front().first << flags.front().second;
  }
}

}  // namespace
}  // namespace millrace
