#include "cli/parse/engine_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <vector>

#include "cli/parse/server_settings.h"
#include "cli/parse/setting_text.h"
#include "cli/parse/setting_variable.h"
#include "text/nearest_name.h"
#include "text/units.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;

std::optional<std::string> ParseText(std::string_view text) { return std::string(text); }

std::optional<std::string> ParsePath(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return std::string(text);
}

std::optional<std::size_t> ParseCount(std::string_view text) {
  const auto number = ParseInteger(text);
  if (!number || *number < 1) return std::nullopt;
  return static_cast<std::size_t>(*number);
}

std::optional<EvictionPolicy> ParseEviction(std::string_view text) {
  if (text == "lru") return EvictionPolicy::kLru;
  if (text == "s3fifo") return EvictionPolicy::kS3Fifo;
  return std::nullopt;
}

std::optional<SegmentCodec> ParseCodec(std::string_view text) {
  if (text == "none") return SegmentCodec::kNone;
  if (text == "lz4") return SegmentCodec::kLz4;
  if (text == "zstd") return SegmentCodec::kZstd;
  return std::nullopt;
}

std::string Show(const std::string& text) { return text; }
std::string Show(const std::filesystem::path& path) { return path.string(); }
std::string Show(bool value) { return value ? "true" : "false"; }
std::string Show(std::uint64_t value) { return fmt::format("{}", value); }
std::string Show(milliseconds value) { return FormatDuration(value); }
std::string Show(const std::optional<milliseconds>& value) { return value ? FormatDuration(*value) : ""; }
std::string Show(EvictionPolicy policy) { return policy == EvictionPolicy::kLru ? "lru" : "s3fifo"; }
std::string Show(SegmentCodec codec) {
  return codec == SegmentCodec::kNone ? "none" : codec == SegmentCodec::kLz4 ? "lz4" : "zstd";
}
std::string Show(const SyncPolicy& sync) {
  if (sync.kind == SyncPolicy::Kind::kInterval) return "interval:" + FormatDuration(sync.interval);
  return sync.kind == SyncPolicy::Kind::kEach ? "each" : "none";
}

constexpr std::string_view kSize = "a size such as 4096 or 64MiB", kDuration = "a duration such as 500ms, 5s or 2h",
                           kBool = "true or false";

}  // namespace

std::optional<SyncPolicy> ParseSyncPolicy(std::string_view text) {
  if (text == "each") return SyncPolicy::Each();
  if (text == "none") return SyncPolicy::None();
  constexpr std::string_view kInterval = "interval:";
  if (!text.starts_with(kInterval)) return std::nullopt;
  auto interval = ParseDuration(text.substr(kInterval.size()));
  if (!interval || interval->count() <= 0) return std::nullopt;
  return SyncPolicy::Interval(*interval);
}

std::span<const EngineSetting> EngineSettings() {
  using Options = EngineOptions;
  using Text = std::string_view;
  static constexpr std::array<EngineSetting, 23> kSettings{{
      {"engine.data_dir", "a directory", [](Options& o, Text text) { return Take(o.data_dir, ParsePath(text)); },
       [](const Options& o) { return Show(o.data_dir); }},
      {"engine.read_only", kBool, [](Options& o, Text text) { return Take(o.read_only, ParseBool(text)); },
       [](const Options& o) { return Show(o.read_only); }},
      {"engine.name_space", "a name", [](Options& o, Text text) { return Take(o.name_space, ParseText(text)); },
       [](const Options& o) { return Show(o.name_space); }},
      {"engine.object_store", "a URL such as s3://bucket/prefix",
       [](Options& o, Text text) { return Take(o.object_store, ParsePath(text)); },
       [](const Options& o) { return Show(o.object_store); }},
      {"engine.metadata_store",
       "a URL such as sqlite:", [](Options& o, Text text) { return Take(o.metadata_store, ParsePath(text)); },
       [](const Options& o) { return Show(o.metadata_store); }},
      {"engine.sync", "each, interval:5ms or none",
       [](Options& o, Text text) { return Take(o.sync, ParseSyncPolicy(text)); },
       [](const Options& o) { return Show(o.sync); }},
      {"engine.auto_create_topics", kBool,
       [](Options& o, Text text) { return Take(o.auto_create_topics, ParseBool(text)); },
       [](const Options& o) { return Show(o.auto_create_topics); }},
      {"engine.record_bytes_max", kSize,
       [](Options& o, Text text) { return Take(o.record_bytes_max, ParseSize(text)); },
       [](const Options& o) { return Show(o.record_bytes_max); }},
      {"engine.batch_bytes_max", kSize, [](Options& o, Text text) { return Take(o.batch_bytes_max, ParseSize(text)); },
       [](const Options& o) { return Show(o.batch_bytes_max); }},
      {"engine.wal_bytes_max", kSize, [](Options& o, Text text) { return Take(o.wal_bytes_max, ParseSize(text)); },
       [](const Options& o) { return Show(o.wal_bytes_max); }},
      {"engine.wal_index_memory_max", kSize,
       [](Options& o, Text text) { return Take(o.wal_index_memory_max, ParseSize(text)); },
       [](const Options& o) { return Show(o.wal_index_memory_max); }},
      {"engine.append_wait_max", kDuration,
       [](Options& o, Text text) { return Take(o.append_wait_max, ParseDuration(text)); },
       [](const Options& o) { return Show(o.append_wait_max); }},
      {"read.cache_dir", "a directory", [](Options& o, Text text) { return Take(o.read.cache_dir, ParsePath(text)); },
       [](const Options& o) { return Show(o.read.cache_dir); }},
      {"read.cache_max_size", kSize, [](Options& o, Text text) { return Take(o.read.cache_max_size, ParseSize(text)); },
       [](const Options& o) { return Show(o.read.cache_max_size); }},
      {"read.block_cache_max_size", kSize,
       [](Options& o, Text text) { return Take(o.read.block_cache_max_size, ParseSize(text)); },
       [](const Options& o) { return Show(o.read.block_cache_max_size); }},
      {"read.read_memory_max", kSize,
       [](Options& o, Text text) { return Take(o.read.read_memory_max, ParseSize(text)); },
       [](const Options& o) { return Show(o.read.read_memory_max); }},
      {"read.prefetch_enabled", kBool,
       [](Options& o, Text text) { return Take(o.read.prefetch_enabled, ParseBool(text)); },
       [](const Options& o) { return Show(o.read.prefetch_enabled); }},
      {"read.fetch_size", "a number of records",
       [](Options& o, Text text) { return Take(o.read.fetch_size, ParseCount(text)); },
       [](const Options& o) { return Show(o.read.fetch_size); }},
      {"read.eviction", "lru or s3fifo",
       [](Options& o, Text text) { return Take(o.read.eviction, ParseEviction(text)); },
       [](const Options& o) { return Show(o.read.eviction); }},
      {"upload.segment_bytes_max", kSize,
       [](Options& o, Text text) { return Take(o.upload.segment_bytes_max, ParseSize(text)); },
       [](const Options& o) { return Show(o.upload.segment_bytes_max); }},
      {"upload.segment_age_max", kDuration,
       [](Options& o, Text text) { return Take(o.upload.segment_age_max, ParseDuration(text)); },
       [](const Options& o) { return Show(o.upload.segment_age_max); }},
      {"upload.codec", "none, lz4 or zstd",
       [](Options& o, Text text) { return Take(o.upload.codec, ParseCodec(text)); },
       [](const Options& o) { return Show(o.upload.codec); }},
      {"upload.delete_grace", kDuration,
       [](Options& o, Text text) { return Take(o.upload.delete_grace, ParseDuration(text)); },
       [](const Options& o) { return Show(o.upload.delete_grace); }},
  }};
  return kSettings;
}

std::string EngineSetting::variable() const { return SettingVariable(name); }

Result<const EngineSetting*> FindEngineSetting(std::string_view name) {
  std::vector<std::string_view> names;
  for (const EngineSetting& setting : EngineSettings()) {
    if (setting.name == name) return &setting;
    names.push_back(setting.name);
  }
  for (const ServerSetting& setting : ServerSettings()) names.push_back(setting.name);
  const auto nearest = NearestName(name, names);
  return Error(ErrorCode::kInvalidArgument, fmt::format("there is no setting \"{}\"", name),
               nearest ? fmt::format("Did you mean {}?", *nearest) : "`millrace config show` lists all.");
}

Result<void> ApplyEngineSetting(const EngineSetting& setting, std::string_view text, EngineOptions& options) {
  if (setting.set(options, text)) return {};
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} takes {}, not \"{}\"", setting.name, setting.wanted, text));
}

}  // namespace millrace
