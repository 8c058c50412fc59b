#include "cli/verbs/consume_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"

namespace millrace {
namespace {

Result<std::optional<OffsetChoice>> ChoiceOf(const Arguments& arguments, std::string_view flag) {
  auto text = arguments.Text(flag);
  if (!text) return std::optional<OffsetChoice>();
  MR_ASSIGN_OR_RETURN(OffsetChoice choice, ParseOffsetChoice(flag, *text));
  return std::optional(choice);
}

CommitWhen CommitOf(const Arguments& arguments) {
  if (!arguments.Has("--group")) return CommitWhen::kNone;
  std::string text = arguments.Text("--commit").value_or("poll");
  return text == "end" ? CommitWhen::kEnd : text == "none" ? CommitWhen::kNone : CommitWhen::kPoll;
}

/// A topic named twice is read once.
std::vector<std::string> EachOnce(const std::vector<std::string>& names) {
  std::vector<std::string> once;
  for (const std::string& name : names)
    if (std::ranges::find(once, name) == once.end()) once.push_back(name);
  return once;
}

}  // namespace

Result<ConsumeOptions> ConsumeOptionsOf(const Arguments& arguments) {
  ConsumeOptions options;
  options.topics = EachOnce(arguments.Positionals("TOPIC"));
  options.group = arguments.Text("--group").value_or("");
  if (arguments.Has("--group") && options.group.empty()) {
    return Error(ErrorCode::kInvalidArgument, "a group's name is not empty");
  }
  if (arguments.Has("--commit") && options.group.empty()) {
    return Error(ErrorCode::kInvalidArgument, "--commit needs a group", "Name one with -g.");
  }
  MR_ASSIGN_OR_RETURN(options.partition, arguments.Integer("--partition", {0, INT32_MAX}));
  MR_ASSIGN_OR_RETURN(options.from, ChoiceOf(arguments, "--from"));
  MR_ASSIGN_OR_RETURN(options.until, ChoiceOf(arguments, "--until"));
  options.commit = CommitOf(arguments);
  options.stream.keep_positions = options.commit != CommitWhen::kNone;
  MR_ASSIGN_OR_RETURN(auto count, arguments.Integer("--count", {0}));
  if (count) options.stream.records_max = static_cast<std::uint64_t>(*count);
  options.stream.follow = arguments.Has("--follow");
  if (arguments.Has("--skip-corrupt")) options.stream.on_damage = OnDamage::kSkip;
  return options;
}

Result<StreamPart> PartOf(Session& session, Log& log, const ConsumeOptions& options, const TopicPartition& partition,
                          std::optional<Offset> stored) {
  StreamPart part{.partition = partition};
  if (stored) {
    MR_ASSIGN_OR_RETURN(const OffsetBounds bounds, log.Bounds(partition));
    part.position = *stored;
    if (*stored < bounds.log_start || *stored > bounds.end) {
      session.Note(fmt::format("group {} was at offset {} of {}/{}, which is not in [{}, {}] any more: going on at {}",
                               options.group, stored->value(), partition.topic, partition.partition.value(),
                               bounds.log_start.value(), bounds.end.value(), bounds.log_start.value()));
      part.position = bounds.log_start;
    }
  } else {
    MR_ASSIGN_OR_RETURN(part.position, ResolveOffset(log, partition, options.from.value_or(OffsetChoice{})));
  }
  if (options.until) {
    MR_ASSIGN_OR_RETURN(part.end, ResolveOffset(log, partition, *options.until));
  }
  return part;
}

}  // namespace millrace
