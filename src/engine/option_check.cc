#include "engine/option_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/try.h"
#include "engine/components.h"

namespace millrace {
namespace {

constexpr std::uint64_t kKiB = 1 << 10, kMiB = 1 << 20;
constexpr std::uint64_t kRecordBytesCeiling = 1'023 * kMiB;
constexpr std::uint64_t kBatchBytesCeiling = 1'023 * kMiB;  // with its frame, what the WAL takes at once
constexpr std::uint64_t kBytesCeiling = std::uint64_t{1} << 50;
static_assert(kRecordBytesCeiling <= kBatchBytesCeiling && kBatchBytesCeiling + kMiB <= kMiB * kKiB);
constexpr std::int32_t kPartitionsCeiling = 100'000;
constexpr std::size_t kTopicNameBytesMax = 249, kNameSpaceBytesMax = 1'000;

Error OutOfBounds(std::string_view name, std::string_view value, std::string_view bounds) {
  return {ErrorCode::kInvalidArgument, fmt::format("{} is {}, but must be {}", name, value, bounds)};
}

Result<void> CheckBytes(std::string_view name, std::uint64_t value, std::uint64_t min, std::uint64_t max) {
  if (value >= min && value <= max) return {};
  return OutOfBounds(name, fmt::format("{}", value), fmt::format("{} to {} bytes", min, max));
}

Result<void> CheckTime(std::string_view name, std::chrono::milliseconds value, std::chrono::milliseconds min) {
  constexpr std::chrono::milliseconds kMax = std::chrono::hours(24 * 365 * 100);
  if (value >= min && value <= kMax) return {};
  return OutOfBounds(name, fmt::format("{} ms", value.count()),
                     fmt::format("{} ms to {} ms", min.count(), kMax.count()));
}

Result<void> CheckReadConfig(const ReadConfig& read) {
  MR_TRY(CheckBytes("read.cache_max_size", read.cache_max_size, 0, kBytesCeiling));
  MR_TRY(CheckBytes("read.block_cache_max_size", read.block_cache_max_size, 0, kBytesCeiling));
  MR_TRY(CheckBytes("read.read_memory_max", read.read_memory_max, kMiB, kBytesCeiling));
  if (read.fetch_size < 1 || read.fetch_size > 1'000'000)
    return OutOfBounds("read.fetch_size", fmt::format("{}", read.fetch_size), "1 to 1000000 records");
  if (read.eviction != EvictionPolicy::kLru && read.eviction != EvictionPolicy::kS3Fifo)
    return OutOfBounds("read.eviction", fmt::format("{}", static_cast<int>(read.eviction)), "kLru or kS3Fifo");
  return {};
}

Result<void> CheckUploadConfig(const UploadConfig& upload) {
  MR_TRY(CheckBytes("upload.segment_bytes_max", upload.segment_bytes_max, 1, 4 * kMiB * kKiB));
  MR_TRY(CheckTime("upload.segment_age_max", upload.segment_age_max, std::chrono::milliseconds(1)));
  if (upload.delete_grace) MR_TRY(CheckTime("upload.delete_grace", *upload.delete_grace, {}));
  if (upload.codec != SegmentCodec::kNone && upload.codec != SegmentCodec::kLz4 && upload.codec != SegmentCodec::kZstd)
    return OutOfBounds("upload.codec", fmt::format("{}", static_cast<int>(upload.codec)), "kNone, kLz4 or kZstd");
  return {};
}

}  // namespace

Result<void> CheckEngineOptions(const EngineOptions& options) {
  if (options.data_dir.empty() && !Components::MayFollow(options))
    return Error(ErrorCode::kInvalidArgument, "data_dir is empty, but must be a path");
  if (options.name_space.size() > kNameSpaceBytesMax)
    return OutOfBounds("name_space", fmt::format("{} bytes", options.name_space.size()),
                       fmt::format("0 to {} bytes", kNameSpaceBytesMax));
  if (options.sync.kind == SyncPolicy::Kind::kInterval)
    MR_TRY(CheckTime("sync interval", options.sync.interval, std::chrono::milliseconds(1)));
  MR_TRY(CheckBytes("record_bytes_max", options.record_bytes_max, 1, kRecordBytesCeiling));
  MR_TRY(CheckBytes("batch_bytes_max", options.batch_bytes_max, 1, kBatchBytesCeiling));
  MR_TRY(CheckBytes("wal_bytes_max", options.wal_bytes_max, 16 * kMiB, kBytesCeiling));
  MR_TRY(CheckBytes("wal_index_memory_max", options.wal_index_memory_max, kMiB, kBytesCeiling));
  if (options.record_bytes_max > options.batch_bytes_max)
    return OutOfBounds("record_bytes_max", fmt::format("{}", options.record_bytes_max),
                       fmt::format("at most batch_bytes_max, {} bytes", options.batch_bytes_max));
  if (options.batch_bytes_max > options.wal_bytes_max)
    return OutOfBounds("batch_bytes_max", fmt::format("{}", options.batch_bytes_max),
                       fmt::format("at most wal_bytes_max, {} bytes", options.wal_bytes_max));
  MR_TRY(CheckTime("append_wait_max", options.append_wait_max, {}));
  MR_TRY(CheckReadConfig(options.read));
  return CheckUploadConfig(options.upload);
}

Result<void> CheckTopicOptions(const TopicOptions& options) {
  if (options.partitions < 1 || options.partitions > kPartitionsCeiling)
    return OutOfBounds("partitions", fmt::format("{}", options.partitions), fmt::format("1 to {}", kPartitionsCeiling));
  if (options.retention_time)
    MR_TRY(CheckTime("retention_time", *options.retention_time, std::chrono::milliseconds(1)));
  if (options.retention_bytes) MR_TRY(CheckBytes("retention_bytes", *options.retention_bytes, 1, kBytesCeiling));
  if (options.cleanup == Cleanup::kCompact)
    return Error(ErrorCode::kUnsupported, "Cleanup::kCompact does not exist yet", "use kDelete");
  return {};
}

Result<void> CheckTopicName(std::string_view name) {
  const auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (name.empty() || name.size() > kTopicNameBytesMax)
    return OutOfBounds("a topic's name", fmt::format("{} bytes long", name.size()),
                       fmt::format("1 to {} bytes long", kTopicNameBytesMax));
  if (name == "." || name == ".." || !std::ranges::all_of(name, legal))
    return Error(ErrorCode::kInvalidArgument,
                 "a topic's name has letters, digits, dots, underscores and dashes only, and is not . or ..");
  return {};
}

}  // namespace millrace
