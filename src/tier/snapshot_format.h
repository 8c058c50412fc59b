// All rows of a log's metadata in one object. docs/format/snapshot.md.
//
//   snapshot = head block* end
//   head     = "MRSN", version u32, identity 16 bytes, generation u32, nonce u32, change i64, settled u64, written i64
//              ms, rows version u32, crc u32
//   block    = as in a segment; its payload = (length u32, row)*         row: docs/format/metadata.md, or a producer
//   end      = "MRSE", blocks u32, rows u64, crc u32 of the blocks' own, crc u32
//
// Rows are read while others are written: what was put or erased meanwhile may be in it or not. `change` is the number
// of the last change before the first row was read.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "millrace/bytes.h"
#include "millrace/metadata_store.h"
#include "millrace/result.h"
#include "segment/object_directory.h"
#include "tier/known_producer.h"

namespace millrace {

inline constexpr std::uint32_t kSnapshotVersion = 1;
/// Of the rows (src/meta/table_spec.h): raised with their columns, and with what is in a snapshot. 1: without epochs,
/// groups, their members, and the blocks of producers' ids; 2: without producers, and written still if there are none.
/// Lower ones stay readable.
inline constexpr std::uint32_t kSnapshotRowsVersion = 3;

struct SnapshotHead {
  StoredId identity{};
  std::uint32_t generation = 0, nonce = 0;
  std::int64_t change = 0;
  std::uint64_t settled = 0;  // every attempt of this generation below it had ended
  std::int64_t written_ms = 0;
  friend bool operator==(const SnapshotHead&, const SnapshotHead&) = default;
};

/// Whether whoever goes on with the log needs this row; others are the directory's own, or of no use to who lost it.
bool BelongsInSnapshot(const MetadataRow& row);

/// Rows in, the pieces of a snapshot out. Not thread-safe. Memory: what it has compressed so far, and a block.
class SnapshotBuilder {
 public:
  explicit SnapshotBuilder(const SnapshotHead& head);
  ~SnapshotBuilder();
  /// Unless it does not belong in one.
  void Add(const MetadataRow& row);
  void AddProducer(const KnownProducer& producer);
  std::vector<SharedBytes> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Snapshot {
  SnapshotHead head;
  std::vector<StoreRow> store;
  std::vector<TopicRow> topics;
  std::vector<PartitionRow> partitions;
  std::vector<ObjectRow> objects;
  std::vector<SegmentRow> segments;  // by partition, then by end
  std::vector<PositionRow> positions;
  std::vector<EpochRow> epochs;  // by partition, then by epoch
  std::vector<GroupRow> groups;
  std::vector<GroupMemberRow> members;
  std::vector<KnownProducer> producers;
};

/// kCorruption, with a damaged range; kUnsupported: a newer version of the snapshot, or other rows than these.
Result<Snapshot> DecodeSnapshot(const SharedBytes& bytes);

}  // namespace millrace
