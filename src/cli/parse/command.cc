#include "cli/parse/command.h"

#include <string>

namespace millrace {
namespace {

Flag ServerFlag(LogFlags log_flags) {
  return {"--server", "HOST:PORT",
          log_flags == LogFlags::kLog
              ? "or the log behind this server (MILLRACE_SERVER; localhost:9092 if no log is named)"
              : "a server (MILLRACE_SERVER); not for this verb, which works on the files of a log"};
}

const std::vector<Flag>& TheLogFlags() {
  static const std::vector<Flag> kFlags{
      {"--store", "URL",
       "object store: file:, file:///PATH, s3://BUCKET/PREFIX, memory: (MILLRACE_STORE; needed once: the log remembers "
       "it; of a new log file:, under the directory)"},
      {"--metadata", "URL", "metadata store: sqlite:, sqlite:///PATH, memory: (default sqlite:, in the directory)"},
      {"--sync", "POLICY", "when the WAL is synced: each, interval:5ms, none (default each)"},
      {"--name-space", "NAME", "a log of its own within the directory"},
      {"--set", "NAME=VALUE", "any setting, as `millrace config show` names it", {}, Repeat::kMany},
      {"--config-file", "FILE", "settings in TOML (default ./millrace.toml, else /etc/millrace/millrace.toml)"},
      {"--read-only", "",
       "write nothing, and share the lock with other readers; without --data-dir: read what is in --store, while its "
       "owner writes"},
      {"--wait", "DURATION", "wait so long for another process that holds the log (default 0)"},
  };
  return kFlags;
}

const std::vector<Flag>& EveryVerbsFlags() {
  static const std::vector<Flag> kFlags{
      {"--color",
       "WHEN",
       "colours on a terminal: auto, always, never (NO_COLOR is honoured)",
       {"auto", "always", "never"}},
      {"-h,--help", "", "this text"},
  };
  return kFlags;
}

}  // namespace

std::string_view Flag::key() const {
  std::size_t comma = names.rfind(',');
  return comma == std::string_view::npos ? names : names.substr(comma + 1);
}

std::string_view Command::last_word() const {
  std::size_t space = words.rfind(' ');
  return space == std::string_view::npos ? words : words.substr(space + 1);
}

std::vector<Flag> Command::AllFlags() const {
  std::vector<Flag> all = flags;
  if (log_flags != LogFlags::kNone) {
    all.push_back({"--data-dir", "DIR", "the log in this directory, opened by this process (MILLRACE_DATA_DIR)"});
    all.push_back(ServerFlag(log_flags));
    all.insert(all.end(), TheLogFlags().begin(), TheLogFlags().end());
  }
  all.insert(all.end(), EveryVerbsFlags().begin(), EveryVerbsFlags().end());
  return all;
}

void Session::Note(std::string_view text) const {
  std::string line = "millrace: ";
  line += text;
  line += '\n';
  err.Write(line);
  err.Flush();
}

}  // namespace millrace
