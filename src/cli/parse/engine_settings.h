// Every setting of the library under one name, as the configuration file, the environment and --set spell it:
// engine.wal_bytes_max, read.cache_max_size, upload.codec. Names are those of EngineOptions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "millrace/options.h"
#include "millrace/result.h"

namespace millrace {

struct EngineSetting {
  std::string_view name;
  std::string_view wanted;                                     // what it takes, for people: "a size such as 64MiB"
  bool (*set)(EngineOptions& options, std::string_view text);  // false: that is not what it takes
  std::string (*show)(const EngineOptions& options);

  /// "MILLRACE_ENGINE__WAL_BYTES_MAX"
  [[nodiscard]] std::string variable() const;
};

std::span<const EngineSetting> EngineSettings();
/// kInvalidArgument for an unknown name (with the nearest one).
Result<const EngineSetting*> FindEngineSetting(std::string_view name);
/// kInvalidArgument, naming the setting and what it takes.
Result<void> ApplyEngineSetting(const EngineSetting& setting, std::string_view text, EngineOptions& options);

/// "each", "interval:5ms", "none".
std::optional<SyncPolicy> ParseSyncPolicy(std::string_view text);

}  // namespace millrace
