// What `consume` was asked for, and where it begins to read a partition.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/parse/arguments.h"
#include "cli/parse/command.h"
#include "cli/parse/offset_choice.h"
#include "cli/records/record_stream.h"
#include "client/log.h"
#include "millrace/result.h"

namespace millrace {

enum class CommitWhen { kPoll, kEnd, kNone };

struct ConsumeOptions {
  std::vector<std::string> topics;  // each once
  std::optional<std::int64_t> partition;
  std::string group;  // empty: none
  std::optional<OffsetChoice> from, until;
  CommitWhen commit = CommitWhen::kNone;
  StreamOptions stream;
};

/// kInvalidArgument: flags that do not go together, or cannot be read.
Result<ConsumeOptions> ConsumeOptionsOf(const Arguments& arguments);

/// What is to be read of a partition. `stored`: where the group is, if that counts. A position that is gone goes to the
/// earliest there is, and the user is told.
Result<StreamPart> PartOf(Session& session, Log& log, const ConsumeOptions& options, const TopicPartition& partition,
                          std::optional<Offset> stored);

}  // namespace millrace
