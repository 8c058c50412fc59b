// Records of several partitions, read to an end or for ever and printed as they come: what `consume` and `tail` share.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cli/parse/command.h"
#include "cli/records/record_printer.h"
#include "client/log.h"
#include "millrace/result.h"

namespace millrace {

/// One partition's share: [position, end), or without an end.
struct StreamPart {
  TopicPartition partition;
  Offset position;            // of the next record to print; moves
  std::optional<Offset> end;  // exclusive; none: the visible end, wherever it is by then
};

struct StreamOptions {
  std::uint64_t records_max = UINT64_MAX;
  bool follow = false;
  OnDamage on_damage = OnDamage::kFail;
  /// Part positions are those of lines that have left the process: known after each turn.
  bool keep_positions = false;
  /// After a part has moved over lines that have left the process (keep_positions); none: nothing to do.
  std::function<Result<void>(const StreamPart&)> written;
  /// Asked often, also while nothing comes: true ends Run between two turns; the parts say how far it is. None: it runs
  /// to its end.
  std::function<bool()> yields;
  std::string_view verb = "consume";
};

/// Not thread-safe. All references outlive it.
class RecordStream {
 public:
  RecordStream(Session& session, Log& log, const RecordPrinter& printer, StreamOptions options);

  /// Prints until every part is at its end, enough records are printed, the reader of standard output left, or SIGINT.
  /// Parts are read in turns. Errors: those of Log::Read, with the place where printing stopped. May be called again,
  /// with other parts: records are counted on.
  Result<ExitCode> Run(std::span<StreamPart> parts);
  /// Nothing more is to be printed, whatever there is: enough was, nobody reads it, or a stop was asked for.
  [[nodiscard]] bool Over();
  [[nodiscard]] const ReadExplanation& explanation() const { return explanation_; }

 private:
  enum class Progress { kSome, kNone };
  /// A line that is printed: where it ends in the output, and what comes after it.
  struct Line {
    std::uint64_t output_end;
    Offset next;
  };
  Result<Progress> Turn(StreamPart& part);
  Result<void> AwaitMore(std::span<const StreamPart> parts);
  [[nodiscard]] bool Yields() const { return options_.yields && options_.yields(); }
  void Print(const StreamPart& part, const ReadResult& read);
  Result<void> Written(StreamPart& part, Offset next);
  Error StoppedAt(const StreamPart& part, const Error& error) const;

  Session& session_;
  Log& log_;
  const RecordPrinter& printer_;
  const StreamOptions options_;
  std::uint64_t printed_ = 0;
  std::vector<Line> lines_;  // of this turn, if positions are kept
  ReadExplanation explanation_;
};

}  // namespace millrace
