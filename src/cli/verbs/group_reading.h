// `consume` as a member of a group: it reads the partitions that the group gives it, and whenever the group shares them
// out anew, commits what was printed and goes on with what it has then.
#pragma once

#include <set>
#include <vector>

#include "cli/records/record_printer.h"
#include "cli/records/record_stream.h"
#include "cli/verbs/consume_options.h"
#include "client/log.h"
#include "millrace/result.h"

namespace millrace {

/// Not thread-safe. All references outlive it.
class GroupReading {
 public:
  GroupReading(Session& session, Log& log, LogMember& member, const RecordPrinter& printer,
               const ConsumeOptions& options);

  /// To the end of what this member has, or for ever; leaves the group. A commit never passes what was printed, and
  /// what was printed and could not be committed comes again. Errors: those of RecordStream and of the member.
  Result<void> Run();

 private:
  [[nodiscard]] StreamOptions Streaming();
  Result<void> ReadShares();
  Result<void> Take(const LogMember::Share& share);
  Result<void> ReadParts();
  Result<void> Commit(const StreamPart& part);
  /// A member that has nothing to read waits for the next sharing out.
  void AwaitShare();

  Session& session_;
  Log& log_;
  LogMember& member_;
  const ConsumeOptions& options_;
  RecordStream stream_;
  std::vector<StreamPart> parts_;   // what it has
  std::set<TopicPartition> begun_;  // what it has had: --from counts once
};

}  // namespace millrace
