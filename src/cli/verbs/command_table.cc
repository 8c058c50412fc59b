#include "cli/verbs/command_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/check.h"
#include "cli/verbs/commands.h"
#include "text/nearest_name.h"

namespace millrace {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kGroups{{
    {"topic", "Topics and their settings"},
    {"group", "Consumer groups and their positions"},
    {"cursor", "Cursors: the next records, once"},
    {"segment", "What lies in the object store"},
    {"wal", "The write-ahead log on this disk"},
    {"store", "Where a log lives, and going on with it"},
    {"config", "Settings and where they come from"},
}};

bool IsNamed(const Command& command, std::string_view word) {
  return command.last_word() == word || std::ranges::find(command.aliases, word) != command.aliases.end();
}

const Command* FindCommand(std::string_view group, std::string_view word) {
  auto found = std::ranges::find_if(
      Commands(), [&](const Command& command) { return GroupOf(command) == group && IsNamed(command, word); });
  return found == Commands().end() ? nullptr : &*found;
}

bool IsGroup(std::string_view word) {
  return std::ranges::any_of(kGroups, [&](const auto& group) { return group.first == word; });
}

Error UnknownVerb(std::string_view group, std::string_view word) {
  std::vector<std::string_view> known;
  for (const Command& command : Commands()) {
    if (GroupOf(command) == group) known.push_back(command.last_word());
  }
  if (group.empty()) {
    for (const auto& [name, summary] : kGroups) known.push_back(name);
  }
  std::string message = fmt::format("unknown verb \"{}{}{}\"", group, group.empty() ? "" : " ", word);
  std::string help = fmt::format("`millrace {}{}--help` lists the verbs.", group, group.empty() ? "" : " ");
  if (auto nearest = NearestName(word, known)) help = fmt::format("Did you mean {}? {}", *nearest, help);
  return Error(ErrorCode::kInvalidArgument, message, help);
}

/// Whether a flag that stands before the verb takes the next word too.
bool TakesNextWord(std::string_view word) {
  if (word.contains('=')) return false;
  static const std::vector<Flag> kFlags = Command{.log_flags = LogFlags::kEngine}.AllFlags();
  return std::ranges::any_of(kFlags, [&](const Flag& flag) { return !flag.argument.empty() && flag.key() == word; });
}

/// Index of the first word from `from` on that is no flag and no flag's value; words.size() if there is none.
std::size_t NextVerb(std::span<const std::string> words, std::size_t from) {
  while (from < words.size() && words[from].starts_with('-')) from += TakesNextWord(words[from]) ? 2 : 1;
  return std::min(from, words.size());
}

}  // namespace

std::span<const Command> Commands() {
  static const std::vector<Command> kCommands{
      ServeCommand(),         DevCommand(),
      ProduceCommand(),       ConsumeCommand(),
      TailCommand(),          TopicCreateCommand(),
      TopicListCommand(),     TopicDescribeCommand(),
      TopicAlterCommand(),    TopicAddPartitionsCommand(),
      TopicTrimCommand(),     TopicRemoveCommand(),
      GroupListCommand(),     GroupDescribeCommand(),
      GroupLagCommand(),      GroupSeekCommand(),
      GroupRemoveCommand(),   CursorListCommand(),
      CursorReadCommand(),    CursorPeekCommand(),
      CursorSeekCommand(),    CursorRemoveCommand(),
      SegmentListCommand(),   SegmentUploadCommand(),
      SegmentVerifyCommand(), SegmentCatCommand(),
      WalListCommand(),       WalVerifyCommand(),
      WalRecycleCommand(),    StoreInfoCommand(),
      StoreUsageCommand(),    StoreAuditCommand(),
      StoreGcCommand(),       StoreRestoreCommand(),
      StoreTakeoverCommand(), StoreAdoptCommand(),
      StoreReleaseCommand(),  StoreMoveCommand(),
      InspectCommand(),       MaintainCommand(),
      StatusCommand(),        DoctorCommand(),
      BenchCommand(),         ConfigShowCommand(),
      CompletionCommand(),    HelpCommand(),
      VersionCommand(),
  };
  return kCommands;
}

std::string_view GroupOf(const Command& command) {
  std::size_t space = command.words.find(' ');
  return space == std::string_view::npos ? std::string_view() : command.words.substr(0, space);
}

std::string_view GroupSummary(std::string_view group) {
  auto found = std::ranges::find_if(kGroups, [&](const auto& entry) { return entry.first == group; });
  MR_CHECK(found != kGroups.end(), group);
  return found->second;
}

Result<Choice> ChooseCommand(std::span<const std::string> words) {
  Choice choice;
  std::size_t first = NextVerb(words, 0);
  choice.rest.assign(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(first));
  if (first == words.size()) return choice;
  std::size_t last = first;
  if (IsGroup(words[first])) {
    choice.group = words[first];
    last = NextVerb(words, first + 1);
    choice.rest.insert(choice.rest.end(), words.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                       words.begin() + static_cast<std::ptrdiff_t>(last));
    if (last == words.size()) return choice;
  }
  choice.command = FindCommand(choice.group, words[last]);
  if (choice.command == nullptr) return UnknownVerb(choice.group, words[last]);
  choice.rest.insert(choice.rest.end(), words.begin() + static_cast<std::ptrdiff_t>(last) + 1, words.end());
  return choice;
}

}  // namespace millrace
