// Goal: a command line means one thing or is refused with a hint. Method: a command of the tests' own for the parser;
// the real table for choosing, help and completion.
#include <gtest/gtest.h>

#include <set>

#include "cli/parse/argument_parser.h"
#include "cli/verbs/command_table.h"
#include "cli/verbs/completion_script.h"
#include "cli/verbs/help_text.h"

namespace millrace {
namespace {

Command TestCommand() {
  return {.words = "test",
          .summary = "A command of the tests",
          .positionals = {{"ONE", "needed"}, {"MORE", "not needed", Presence::kOptional, Repeat::kMany}},
          .flags = {{"-n,--count", "N", "a number"},
                    {"--switch", "", "on or off"},
                    {"-H,--header", "KEY=VALUE", "many", {}, Repeat::kMany},
                    {"--level", "L", "one of two", {"low", "high"}}}};
}

Result<Arguments> Parse(std::vector<std::string> words) { return ParseArguments(TestCommand(), words); }

TEST(ArgumentParserTest, FlagsAndPositionalsInAnyOrder) {
  auto arguments = Parse({"--count", "5", "a", "--switch", "b", "-H", "x=1", "--header=y=2", "c"});
  ASSERT_TRUE(arguments) << arguments.error().ToString();
  EXPECT_EQ(arguments->Text("--count"), "5");
  EXPECT_TRUE(arguments->Has("--switch"));
  EXPECT_EQ(arguments->All("--header"), (std::vector<std::string>{"x=1", "y=2"}));
  EXPECT_EQ(arguments->Positional("ONE"), "a");
  EXPECT_EQ(arguments->Positionals("MORE"), (std::vector<std::string>{"b", "c"}));
}

TEST(ArgumentParserTest, ValuesMayLookLikeAnything) {
  for (std::string value : {"-5", "--switch", "", "-", "{}", "[x]", "a b", "%k\\n", "\"q\""}) {
    auto arguments = Parse({"a", "-n", value});
    ASSERT_TRUE(arguments) << value;
    EXPECT_EQ(arguments->Text("--count"), value);
  }
}

TEST(ArgumentParserTest, AfterTwoDashesNothingIsAFlag) {
  auto arguments = Parse({"--", "--switch", "-n"});
  ASSERT_TRUE(arguments);
  EXPECT_FALSE(arguments->Has("--switch"));
  EXPECT_EQ(arguments->Positional("ONE"), "--switch");
}

TEST(ArgumentParserTest, HelpWinsOverWhatIsMissing) {
  for (const char* word : {"--help", "-h"}) {
    auto arguments = Parse({word});
    ASSERT_TRUE(arguments);
    EXPECT_TRUE(arguments->Has("--help"));
  }
}

TEST(ArgumentParserTest, WhatAFlagTakesIsNoCallForHelp) {
  for (const char* value : {"-h", "--help"}) {
    auto arguments = Parse({"a", "-n", value});
    ASSERT_TRUE(arguments);
    EXPECT_FALSE(arguments->Has("--help"));
    EXPECT_EQ(arguments->Text("--count"), value);
  }
}

TEST(ArgumentParserTest, WrongLinesAreRefused) {
  for (const auto& words : std::vector<std::vector<std::string>>{{},
                                                                 {"a", "--nope"},
                                                                 {"a", "-n"},
                                                                 {"a", "-n", "1", "-n", "2"},
                                                                 {"a", "--level", "middle"},
                                                                 {"a", "--switch=maybe"},
                                                                 {"a", "-x"}}) {
    auto arguments = Parse(words);
    ASSERT_FALSE(arguments) << words.size();
    EXPECT_EQ(arguments.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(ArgumentParserTest, NearestFlagIsNamed) {
  auto arguments = Parse({"a", "--cuont", "5"});
  ASSERT_FALSE(arguments);
  EXPECT_NE(arguments.error().hint().find("--count"), std::string_view::npos) << arguments.error().hint();
}

TEST(ArgumentsTest, NumbersAreWithinBounds) {
  Arguments arguments;
  arguments.Add("-n", "5");
  EXPECT_EQ(**arguments.Integer("-n", {1, 5}), 5);
  EXPECT_FALSE(arguments.Integer("-n", {6, 9}));
  EXPECT_EQ(*arguments.Integer("-m", {}), std::nullopt);
  arguments.Add("-n", "5x");
  EXPECT_FALSE(arguments.Integer("-n", {}));
  EXPECT_FALSE(arguments.Size("-n"));
}

TEST(CommandTableTest, ChoosesByWordsAndAliases) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"topic", "ls"}, {"topic", "list"}, {"--data-dir", "d", "topic", "ls"}, {"topic", "--data-dir=d", "ls"}}) {
    auto choice = ChooseCommand(words);
    ASSERT_TRUE(choice);
    ASSERT_NE(choice->command, nullptr);
    EXPECT_EQ(choice->command->words, "topic ls");
    EXPECT_EQ(choice->rest.size(), words.size() - 2);
  }
}

TEST(CommandTableTest, GroupAloneAndNothingAreNoCommand) {
  EXPECT_EQ(ChooseCommand(std::vector<std::string>{})->command, nullptr);
  const std::vector<std::string> words = {"topic"};  // the choice looks into them
  auto choice = ChooseCommand(words);
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->command, nullptr);
  EXPECT_EQ(choice->group, "topic");
}

TEST(CommandTableTest, UnknownVerbNamesTheNearest) {
  for (auto [word, near] : {std::pair("prodcue", "produce"), {"topik", "topic"}}) {
    auto choice = ChooseCommand(std::vector<std::string>{word});
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(choice.error().hint().find(near), std::string_view::npos);
  }
}

TEST(CommandTableTest, EveryCommandIsWholeAndUnlikeTheOthers) {
  std::set<std::string_view> words;
  for (const Command& command : Commands()) {
    EXPECT_TRUE(words.insert(command.words).second) << command.words;
    EXPECT_NE(command.run, nullptr) << command.words;
    EXPECT_FALSE(command.summary.empty() || command.summary.ends_with('.')) << command.words;
    std::set<std::string_view> flags;
    for (const Flag& flag : command.AllFlags()) {
      EXPECT_TRUE(flags.insert(flag.key()).second) << command.words << ' ' << flag.key();
      EXPECT_FALSE(flag.text.empty()) << command.words << ' ' << flag.key();
    }
  }
}

TEST(HelpTest, ProgramHelpBeginsWithThreeExamples) {
  std::string help = ProgramHelp();
  std::size_t examples = 0;
  for (std::size_t at = 0; at < help.size() && help.compare(at, 2, "  ") == 0; at = help.find('\n', at) + 1) ++examples;
  EXPECT_EQ(examples, 3u);
}

TEST(HelpTest, LinesAreNotTooLong) {
  for (const Command& command : Commands()) {
    std::string help = CommandHelp(command);
    for (std::size_t at = 0; at < help.size();) {
      std::size_t end = help.find('\n', at);
      EXPECT_LE(end - at, 110u) << help.substr(at, end - at);
      at = end + 1;
    }
  }
}

TEST(CompletionTest, EveryCommandAndFlagIsInEveryScript) {
  for (const std::string& script : {BashCompletion(), ZshCompletion(), FishCompletion()}) {
    for (const Command& command : Commands()) {
      EXPECT_NE(script.find(command.last_word()), std::string::npos) << command.words;
      for (const Flag& flag : command.AllFlags()) {
        std::string_view name = flag.key();
        while (name.starts_with('-')) name.remove_prefix(1);
        EXPECT_NE(script.find(name), std::string::npos) << command.words << ' ' << name;
      }
    }
  }
}

}  // namespace
}  // namespace millrace
