// What an object says of itself, at its end: whose it is, which attempt wrote it, and which topics, partitions and
// offsets lie in it. From directories alone a log can be found again whose metadata is lost. docs/format/object.md.
//
//   object    = segment* directory
//   directory = "MRD1", version u32, identity 16 bytes, generation u32, nonce u32, sequence u64, settled u64,
//               written i64 ms, topics u32, topic*, entries u32, entry*, (shares u32, share*)?, crc u32, bytes u32,
//               "MRO2"
//   share     = entry u32, left out u32, producers u32, producer*        of version 2: who sent what lies in an entry
//
// All numbers are little-endian. An object of an earlier release ends with a segment's footer and has none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "millrace/metadata_store.h"
#include "millrace/options.h"
#include "millrace/result.h"
#include "segment/segment_producers.h"

namespace millrace {

/// The newest that is read. One without shares is written as version 1, as before there were any.
inline constexpr std::uint32_t kObjectDirectoryVersion = 2;
/// The last bytes of an object, which tell how long its directory is.
inline constexpr std::size_t kDirectoryEndBytes = 12;

using StoredId = std::array<std::uint8_t, 16>;
/// 32 hexadecimal digits as they are stored; a text that is none, by its first bytes.
StoredId StoredIdOf(std::string_view text);
std::string TextOf(const StoredId& id);

struct DirectoryTopic {
  StoredId uuid{};
  TopicId number;
  std::int64_t created_ms = 0;
  TopicOptions options;
  std::string name;
  friend bool operator==(const DirectoryTopic& one, const DirectoryTopic& other);
};

/// One segment of the object, or, without bytes, a gap of its partition.
struct ObjectEntry {
  std::uint32_t topic = 0;  // index in `topics`
  PartitionId partition;
  LeaderEpoch epoch;
  bool rewritten = false;  // a copy of what lay elsewhere before: it links by itself to nothing
  std::uint64_t byte_begin = 0, byte_size = 0;
  Offset base, end;
  std::uint64_t records = 0;
  std::int64_t timestamp_min_ms = 0, timestamp_max_ms = 0;
  Offset log_start;  // when this was written
  Offset ceiling;    // no offset at or past it was given when this was written, nor will be without another object
  friend bool operator==(const ObjectEntry&, const ObjectEntry&) = default;
};

/// The producers whose batches lie in one entry.
struct DirectoryShare {
  std::uint32_t entry = 0;  // index in `entries`
  ProducersTold told;       // not empty
  friend bool operator==(const DirectoryShare&, const DirectoryShare&) = default;
};

struct ObjectDirectory {
  StoredId identity{};
  std::uint32_t generation = 0, nonce = 0;
  std::uint64_t sequence = 0;
  std::uint64_t settled = 0;  // every attempt of this generation below it had ended, well or not
  std::int64_t written_ms = 0;
  std::vector<DirectoryTopic> topics;
  std::vector<ObjectEntry> entries;
  std::vector<DirectoryShare> shares = {};  // by entry; together at most kProducersMax producers
  friend bool operator==(const ObjectDirectory&, const ObjectDirectory&) = default;
};

std::vector<std::byte> EncodeObjectDirectory(const ObjectDirectory& directory);

/// How many bytes at the end of an object its directory says it takes; none: it has no directory. `tail`: the object's
/// last bytes, at least kDirectoryEndBytes.
std::optional<std::uint32_t> DirectoryBytes(std::span<const std::byte> tail);
/// `bytes` are exactly those of the directory. kCorruption, with a damaged range within `bytes`; kUnsupported: a newer
/// version. Memory: a small multiple of `bytes`.
Result<ObjectDirectory> DecodeObjectDirectory(std::span<const std::byte> bytes);

}  // namespace millrace
