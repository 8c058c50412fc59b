#include "cli/verbs/completion_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "cli/verbs/command_table.h"

namespace millrace {
namespace {

/// First words, each once, in the table's order.
std::vector<std::string_view> FirstWords() {
  std::vector<std::string_view> words;
  for (const Command& command : Commands()) {
    std::string_view word = GroupOf(command).empty() ? command.words : GroupOf(command);
    if (std::ranges::find(words, word) == words.end()) words.push_back(word);
  }
  return words;
}

std::vector<std::string_view> SecondWords(std::string_view group) {
  std::vector<std::string_view> words;
  for (const Command& command : Commands()) {
    if (GroupOf(command) == group) words.push_back(command.last_word());
  }
  return words;
}

std::vector<std::string_view> Groups() {
  std::vector<std::string_view> groups;
  for (std::string_view word : FirstWords()) {
    if (!SecondWords(word).empty()) groups.push_back(word);
  }
  return groups;
}

std::vector<std::string_view> Names(const Flag& flag) {
  std::vector<std::string_view> names;
  std::size_t comma = flag.names.find(',');
  names.push_back(flag.names.substr(0, comma));
  if (comma != std::string_view::npos) names.push_back(flag.names.substr(comma + 1));
  return names;
}

std::string FlagWords(const Command& command) {
  std::vector<std::string_view> words;
  for (const Flag& flag : command.AllFlags()) {
    for (std::string_view name : Names(flag)) words.push_back(name);
  }
  return fmt::format("{}", fmt::join(words, " "));
}

/// "case" arms of bash and zsh: what may follow `--acks` in `produce`.
std::string ChoiceArms() {
  std::string out;
  for (const Command& command : Commands()) {
    for (const Flag& flag : command.AllFlags()) {
      if (flag.choices.empty()) continue;
      for (std::string_view name : Names(flag)) {
        out += fmt::format("    \"{}:{}\") list=\"{}\" ;;\n", command.words, name, fmt::join(flag.choices, " "));
      }
    }
  }
  return out;
}

std::string GroupArms() {
  std::string out;
  for (std::string_view group : Groups()) {
    out += fmt::format("    \"{}\") list=\"{}\" ;;\n", group, fmt::join(SecondWords(group), " "));
  }
  return out;
}

std::string FlagArms() {
  std::string out;
  for (const Command& command : Commands())
    out += fmt::format("    \"{}\") list=\"{}\" ;;\n", command.words, FlagWords(command));
  return out;
}

std::string Quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("\\'") : std::string(1, c);
  return out + "'";
}

/// In bash and zsh alike: from the loop over the words before the one to complete, each in $word, to what may follow
/// them, in $list.
std::string FindList() {
  return fmt::format(R"(    [[ $word == -* ]] && break
    case "$verb" in
    "") verb="$word" ;;
    {}) verb="$verb $word" ;;
    esac
  done
  case "$verb:$previous" in
{}  esac
  if [[ -z $list && $current == -* ]]; then
    case "$verb" in
{}    esac
  elif [[ -z $list ]]; then
    case "$verb" in
    "") list="{}" ;;
{}    esac
  fi
)",
                     fmt::join(Groups(), " | "), ChoiceArms(), FlagArms(), fmt::join(FirstWords(), " "), GroupArms());
}

}  // namespace

std::string BashCompletion() {
  return fmt::format(R"(# millrace completion for bash: source <(millrace completion bash)
_millrace() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="" verb="" list="" i word
  ((COMP_CWORD > 0)) && previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  for ((i = 1; i < COMP_CWORD && i < 3; i++)); do
    word="${{COMP_WORDS[i]}}"
{}  if [[ -n $list ]]; then
    COMPREPLY=($(compgen -W "$list" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -o filenames -F _millrace millrace
)",
                     FindList());
}

std::string ZshCompletion() {
  return fmt::format(R"(#compdef millrace
# millrace completion for zsh: source <(millrace completion zsh), or put it on fpath as _millrace
_millrace() {{
  local current="${{words[CURRENT]}}" previous="${{words[CURRENT-1]}}" verb="" list="" word i
  local -a all=("${{words[@]}}")
  for ((i = 2; i < CURRENT && i < 4; i++)); do
    word="${{all[i]}}"
{}  if [[ -n $list ]]; then
    compadd -- ${{=list}}
  else
    _files
  fi
}}
if [[ $funcstack[1] == _millrace ]]; then
  _millrace "$@"
else
  compdef _millrace millrace
fi
)",
                     FindList());
}

std::string FishCompletion() {
  std::string out = "# millrace completion for fish: millrace completion fish | source\n";
  for (std::string_view word : FirstWords()) {
    bool is_group = !SecondWords(word).empty();
    auto command = std::ranges::find(Commands(), word, &Command::words);
    std::string_view summary = is_group ? GroupSummary(word) : command->summary;
    out += fmt::format("complete -c millrace -n __fish_use_subcommand -a {} -d {}\n", word, Quoted(summary));
  }
  for (const Command& command : Commands()) {
    std::string condition;
    if (std::string_view group = GroupOf(command); group.empty()) {
      condition = fmt::format("__fish_seen_subcommand_from {}", command.words);
    } else {
      out += fmt::format(
          "complete -c millrace -n '__fish_seen_subcommand_from {}; and not __fish_seen_subcommand_from {}' -a {} -d "
          "{}\n",
          group, fmt::join(SecondWords(group), " "), command.last_word(), Quoted(command.summary));
      condition =
          fmt::format("__fish_seen_subcommand_from {}; and __fish_seen_subcommand_from {}", group, command.last_word());
    }
    for (const Flag& flag : command.AllFlags()) {
      out += fmt::format("complete -c millrace -n '{}'", condition);
      for (std::string_view name : Names(flag)) {
        out += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
      }
      if (!flag.argument.empty()) out += " -r";
      if (!flag.choices.empty()) out += fmt::format(" -f -a '{}'", fmt::join(flag.choices, " "));
      out += fmt::format(" -d {}\n", Quoted(flag.text));
    }
  }
  return out;
}

}  // namespace millrace
