#include "cli/parse/argument_parser.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>
#include <vector>

#include "base/try.h"
#include "text/nearest_name.h"

namespace millrace {
namespace {

std::string HelpHint(const Command& command) { return fmt::format("See `millrace {} --help`.", command.words); }

Error Wrong(const Command& command, std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message), HelpHint(command));
}

std::vector<std::string_view> NamesOf(std::span<const Flag> flags) {
  std::vector<std::string_view> names;
  for (const Flag& flag : flags) {
    std::string_view rest = flag.names;
    while (!rest.empty()) {
      std::size_t comma = std::min(rest.find(','), rest.size());
      names.push_back(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return names;
}

Error UnknownFlag(const Command& command, std::span<const Flag> flags, std::string_view word) {
  std::string_view name = word.substr(0, word.find('='));
  std::string message = fmt::format("unknown flag {} for `millrace {}`", name, command.words);
  auto nearest = NearestName(name, NamesOf(flags));
  if (!nearest) return Wrong(command, message);
  return Error(ErrorCode::kInvalidArgument, message, fmt::format("Did you mean {}? {}", *nearest, HelpHint(command)));
}

struct DeclaredFlag {
  const Flag* flag;
  CLI::Option* option;
};

Result<void> TakeFlag(const Command& command, const DeclaredFlag& declared, Arguments& arguments) {
  const auto& [flag, option] = declared;
  if (option->count() == 0) return {};
  if (flag->argument.empty()) {
    if (option->results().back() != "true") return Wrong(command, fmt::format("{} takes no value", flag->key()));
    arguments.Add(flag->key(), "");
    return {};
  }
  if (flag->repeat == Repeat::kOnce && option->results().size() > 1) {
    return Wrong(command, fmt::format("{} is given {} times", flag->key(), option->results().size()));
  }
  for (const std::string& value : option->results()) {
    if (!flag->choices.empty() && std::ranges::find(flag->choices, value) == flag->choices.end()) {
      return Wrong(command,
                   fmt::format("{} takes one of {}, not \"{}\"", flag->key(), fmt::join(flag->choices, ", "), value));
    }
    arguments.Add(flag->key(), value);
  }
  return {};
}

Result<void> TakePositionals(const Command& command, std::vector<std::string> words, Arguments& arguments) {
  std::size_t taken = 0;
  for (const Positional& positional : command.positionals) {
    if (taken == words.size()) {
      if (positional.presence == Presence::kOptional) break;
      return Wrong(command,
                   fmt::format("`millrace {}` needs {} ({})", command.words, positional.name, positional.text));
    }
    std::size_t count = positional.repeat == Repeat::kMany ? words.size() - taken : 1;
    for (std::size_t i = 0; i < count; ++i) arguments.AddPositional(positional.name, std::move(words[taken++]));
  }
  if (taken < words.size()) {
    return Wrong(command,
                 fmt::format("`millrace {}` does not know what to do with \"{}\"", command.words, words[taken]));
  }
  return {};
}

/// Whether the word after `word` is its value, whatever it looks like: `-k -h`.
bool TakesNextWord(std::span<const Flag> flags, std::string_view word) {
  return std::ranges::any_of(flags, [&](const Flag& flag) {
    if (flag.argument.empty()) return false;
    const std::vector<std::string_view> names = NamesOf({&flag, 1});
    return std::ranges::find(names, word) != names.end();
  });
}

bool AsksForHelp(std::span<const Flag> flags, std::span<const std::string> words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--") return false;
    if (words[i] == "--help" || words[i] == "-h") return true;
    if (TakesNextWord(flags, words[i])) ++i;
  }
  return false;
}

/// CLI11 reports by exception; none of them leaves this function.
Result<std::vector<std::string>> Parse(const Command& command, CLI::App& app, std::span<const std::string> words) {
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    return app.remaining();
  } catch (const CLI::ParseError& error) {
    return Wrong(command, error.what());
  }
}

}  // namespace

Result<Arguments> ParseArguments(const Command& command, std::span<const std::string> words) {
  Arguments arguments;
  arguments.NameVerb(command.words);
  std::vector<Flag> flags = command.AllFlags();
  if (AsksForHelp(flags, words)) {
    arguments.Add("--help", "");
    return arguments;
  }
  CLI::App app;
  app.set_help_flag("");
  app.allow_extras();
  std::vector<DeclaredFlag> declared;
  for (const Flag& flag : flags) {
    std::string names(flag.names);
    CLI::Option* option = flag.argument.empty() ? app.add_flag(names) : app.add_option(names)->expected(1)->take_all();
    declared.push_back({&flag, option});
  }
  // What stands after `--` is never a flag, whatever it looks like.
  auto end = std::ranges::find(words, "--");
  std::size_t before = static_cast<std::size_t>(end - words.begin());
  MR_ASSIGN_OR_RETURN(std::vector<std::string> rest, Parse(command, app, words.first(before)));
  for (const std::string& word : rest) {
    if (word.size() > 1 && word.starts_with('-')) return UnknownFlag(command, flags, word);
  }
  if (before < words.size()) rest.insert(rest.end(), end + 1, words.end());
  for (const DeclaredFlag& flag : declared) MR_TRY(TakeFlag(command, flag, arguments));
  MR_TRY(TakePositionals(command, std::move(rest), arguments));
  return arguments;
}

}  // namespace millrace
