// Every setting of the library, with its default and its unit. All are validated once, at Engine::Open.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/events.h"
#include "millrace/types.h"

namespace millrace {

class Clock;
class FileSystem;
class MetadataStore;
class ObjectStore;

/// Where the bytes of an append are when it returns: in the operating system, on this disk, in the object store.
enum class Durability { kOs, kDisk, kObject };
/// kConsumed: reclaim what every cursor of the partition, and every group that reads the topic, has passed. kCompact:
/// kUnsupported until it exists.
enum class Cleanup { kDelete, kCompact, kConsumed };
enum class EvictionPolicy { kLru, kS3Fifo };
/// Where a consumer goes whose committed offset is no longer (or not yet) in the log.
enum class ResetPolicy { kEarliest, kLatest, kFail };
/// Of the records in a batch, as Kafka numbers them.
enum class Compression { kNone, kGzip, kSnappy, kLz4, kZstd };
/// Of the blocks in a segment.
enum class SegmentCodec { kNone, kLz4, kZstd };
enum class OnDamage { kFail, kSkip };

/// When the write-ahead log is synced.
struct SyncPolicy {
  enum class Kind { kEach, kInterval, kNone };
  static SyncPolicy Each() { return {}; }
  static SyncPolicy Interval(std::chrono::milliseconds interval) { return {Kind::kInterval, interval}; }
  static SyncPolicy None() { return {Kind::kNone, {}}; }

  Kind kind = Kind::kEach;
  std::chrono::milliseconds interval{0};
};

/// How a cursor's position is persisted; see Cursor.
struct ReadConsistency {
  static ReadConsistency StrictlyAtOnce() { return {}; }
  static ReadConsistency AtLeastOnce(std::uint32_t persist_every) {
    return {false, persist_every == 0 ? 1 : persist_every};
  }

  bool strict = true;
  std::uint32_t persist_every = 1;
  friend bool operator==(const ReadConsistency&, const ReadConsistency&) = default;
};

struct TopicOptions {
  std::int32_t partitions = 1;
  std::optional<std::chrono::milliseconds> retention_time;  // none: keep
  std::optional<std::uint64_t> retention_bytes;             // of each partition; none: keep
  Durability durability = Durability::kDisk;                // what an append gets that asks for nothing else
  Cleanup cleanup = Cleanup::kDelete;
};

struct ReadConfig {
  std::filesystem::path cache_dir;                 // default: data_dir/cache
  std::uint64_t cache_max_size = 1 << 30;          // bytes on disk, hard ceiling
  std::uint64_t block_cache_max_size = 256 << 20;  // bytes in memory, decompressed blocks
  std::uint64_t read_memory_max = 256 << 20;       // one budget for all bytes in flight
  bool prefetch_enabled = true;
  std::size_t fetch_size = 1000;                      // records per poll
  EvictionPolicy eviction = EvictionPolicy::kS3Fifo;  // docs/adr/0003-eviction.md has the measurement
};

struct UploadConfig {
  std::uint64_t segment_bytes_max = 64 << 20;  // a partition with this much to upload is uploaded
  std::chrono::milliseconds segment_age_max{
      60'000};                              // and so is one whose oldest bytes are this old, restarts included
  SegmentCodec codec = SegmentCodec::kLz4;  // over blocks; one that hardly shrinks is stored as it is
  std::optional<std::chrono::milliseconds> delete_grace;  // none: 0 for file: and memory:, 1 h otherwise
};

struct EngineOptions {
  std::filesystem::path data_dir;  // WAL, SQLite, local objects, cache unless set apart
  bool create_if_missing = true;
  /// Reads a log where nothing can be written, or shall be: a read-only mount, a snapshot, a backup. Nothing below
  /// data_dir and nothing in the object store changes; recovery mends in memory. Several engines may have the log open
  /// so at once, but not beside one that writes. Calls that change anything answer kPermissionDenied; there is no disk
  /// cache. For logs whose metadata lies in a file (kUnsupported otherwise).
  /// With an object store and no data_dir, or one without a log: reads the log that lies in the store alone, also while
  /// its owner writes, and goes on with it (docs/store.md). Then there is a disk cache if read.cache_dir is set, and
  /// nothing else is on a disk. kNotFound: there is no log; kUnavailable: it is being taken over at this moment.
  bool read_only = false;
  std::string name_space;  // "" or any bytes: isolates everything under data_dir; collisions impossible
  /// "": the log's home, which it remembers from the first time on; of a new log "file:". Else
  /// "file:", "file:///path", "memory:" or
  /// "s3://bucket/prefix?endpoint=URL&region=NAME&style=path|virtual&checksum=crc32c|none&ca=FILE" (an endpoint means
  /// path style; what is not named is looked for in the environment and ~/.aws: region, endpoint, authorities).
  /// Credentials come from there too, from the container's agent or the machine's role, and never from here.
  /// kInvalidArgument: this log lives elsewhere; kAlreadyExists: a new directory, and there is a log at that place.
  std::string object_store;
  /// A directory without a log goes on with the one that lies at `object_store`: whoever wrote there before writes
  /// there no more. What was not in the object store is lost (`millrace store restore` tells what).
  bool take_over = false;
  std::string metadata_store = "sqlite:";  // "sqlite:", "sqlite:///path", "memory:"
  SyncPolicy sync = SyncPolicy::Each();
  bool auto_create_topics = false;           // an append to an unknown topic creates it; reads never do
  std::uint64_t record_bytes_max = 1 << 20;  // key + value + headers of one record
  std::uint64_t batch_bytes_max = 16 << 20;  // of one Append
  std::uint64_t wal_bytes_max = 4ull << 30;  // at least 16 MiB: budget of the hot tier on disk; pressure uploads early
  /// At least 1 MiB: memory that tells where in the WAL a partition's offsets lie, beyond 320 bytes a partition. With
  /// less, or with more partitions, a read that begins in the WAL passes over more of it (Stats: wal_index_bytes).
  std::uint64_t wal_index_memory_max = 32 << 20;
  std::chrono::milliseconds append_wait_max{30'000};  // how long an append waits for room before kOutOfSpace
  ReadConfig read;
  UploadConfig upload;
  EventSink on_event;  // none: failures in the background are told by Stats, DescribeTopics and errors only
  // Null: the real one.
  std::shared_ptr<Clock> clock;
  std::shared_ptr<FileSystem> file_system;
  std::shared_ptr<ObjectStore> objects;
  std::shared_ptr<MetadataStore> metadata;
};

/// Who appends, so that what is appended again after an unknown outcome is not there twice (docs/producers.md).
struct ProducerStamp {
  std::int64_t id = 0;        // from Engine::NewProducerId
  std::int16_t epoch = 0;     // a higher one shuts out who appends under a lower one
  std::int32_t sequence = 0;  // of the first record: of each producer and partition 0, then as many further as were
                              // appended; 0 follows 2^31 - 1
};

struct AppendOptions {
  std::optional<Durability> durability;  // none: the topic's
  Compression compression = Compression::kNone;
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<ProducerStamp> producer;  // none: each append is a new one
};

struct ReadLimits {
  std::uint64_t bytes_max = 1 << 20;
  std::size_t records_max = SIZE_MAX;
  OnDamage on_damage = OnDamage::kFail;
  std::optional<std::chrono::milliseconds> timeout;
};

struct ConsumerOptions {
  std::string group;                       // "": no group, nothing is committed
  std::vector<std::string> topics;         // all their partitions, those added later too; shared within a group
  std::vector<TopicPartition> partitions;  // and these, alone of its group: kUnavailable while another reads one
  ResetPolicy reset = ResetPolicy::kEarliest;
  OnDamage on_damage = OnDamage::kFail;
};

}  // namespace millrace
