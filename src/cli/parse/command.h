// What a command is: its words, its flags, its texts and what runs it. Help, completion and parsing all come from this.
#pragma once

#include <string_view>
#include <vector>

#include "cli/exit_code.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "millrace/result.h"

namespace millrace {

class Arguments;

enum class Repeat { kOnce, kMany };

struct Flag {
  std::string_view names;     // "-n,--count" or "--json"; the last one is its key in Arguments
  std::string_view argument;  // "N", as help shows it; empty: a switch
  std::string_view text;
  std::vector<std::string_view> choices = {};  // not empty: one of these and nothing else
  Repeat repeat = Repeat::kOnce;

  /// The last of `names`.
  [[nodiscard]] std::string_view key() const;
};

enum class Presence { kRequired, kOptional };

struct Positional {
  std::string_view name;  // "TOPIC"
  std::string_view text;
  Presence presence = Presence::kRequired;
  Repeat repeat = Repeat::kOnce;
};

/// Which flags that say where the log is a command gets beside its own. kEngine: it works on the files of a log; kLog:
/// on a log, also one behind a server.
enum class LogFlags { kNone, kOptionalEngine, kEngine, kLog };

/// What a command is handed to work with.
struct Session {
  const Arguments& arguments;
  Output& out;  // data
  Output& err;  // everything else; not buffered
  Interrupt& interrupt;

  /// One line on standard error, "millrace: " before it.
  void Note(std::string_view text) const;
};

struct Command {
  std::string_view words;    // "topic create"
  std::string_view summary;  // one line
  LogFlags log_flags = LogFlags::kNone;
  std::vector<Positional> positionals = {};
  std::vector<Flag> flags = {};
  std::string_view details = {};                // paragraphs after the flags
  std::vector<std::string_view> examples = {};  // whole lines
  std::vector<std::string_view> aliases = {};   // for the last word
  Result<ExitCode> (*run)(Session& session) = nullptr;

  /// Its own flags, then those that say where the log is, then those every command has.
  [[nodiscard]] std::vector<Flag> AllFlags() const;
  [[nodiscard]] std::string_view last_word() const;
};

}  // namespace millrace
