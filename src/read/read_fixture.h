// What tests of a PartitionReader start from: a partition whose hot end is a fake WAL, and uploads done by hand:
// batches through the real segment builder into a memory store and a memory metadata store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cache/block_cache.h"
#include "env/seeded_random.h"
#include "env/sim/sim_clock.h"
#include "fetch/read_memory.h"
#include "fetch/segment_map.h"
#include "log/fake_wal.h"
#include "log/log_fixture.h"
#include "log/partition_log.h"
#include "log/tail_cache.h"
#include "meta/catalog.h"
#include "meta/memory_metadata_store.h"
#include "millrace/bytes.h"
#include "read/partition_reader.h"
#include "segment/segment_builder.h"
#include "store/memory_object_store.h"

namespace millrace {

struct ReadFixtureOptions {
  SyncPolicy sync = SyncPolicy::None();
  std::uint64_t tail_bytes_max = 64 << 20, block_bytes_max = 64 << 20, read_memory_max = 64 << 20;
  std::uint32_t segment_block_bytes = 64 << 10;
  SegmentCodec codec = SegmentCodec::kLz4;
  ObjectStore* objects = nullptr;  // null: `store`
};

/// One partition with all that stands behind its reader.
struct ReadablePartition {
  PartitionRow row;
  std::unique_ptr<PartitionLog> log;
  std::unique_ptr<SegmentMap> segments;
  std::unique_ptr<PartitionReader> reader;
};

struct ReadFixture {
  explicit ReadFixture(const ReadFixtureOptions& options = {})
      : options(options),
        tail_cache(options.tail_bytes_max),
        blocks({.block_bytes_max = options.block_bytes_max}),
        memory(options.read_memory_max, clock),
        context{{options.objects != nullptr ? *options.objects : store, blocks, memory, counters, clock}} {
    partition = Create("orders");
  }

  ReadablePartition Create(const std::string& topic) {
    const TopicRow created = Catalog(metadata).CreateTopic(topic, {}, std::string(32, 'a'), 0).value();
    ReadablePartition made;
    made.row = Catalog(metadata).AcquireEpoch({created.id, PartitionId(0)}).value();
    const PartitionLog::Options log_options{.key = made.row.key,
                                            .name = {topic, PartitionId(0)},
                                            .stream = WalStream(static_cast<std::uint64_t>(created.id.value())),
                                            .sync = options.sync};
    made.log = std::make_unique<PartitionLog>(log_options, made.row, wal, tail_cache, clock);
    (void)made.log->FinishRecovery();
    made.segments = std::make_unique<SegmentMap>(metadata, made.row.key, clock);
    made.reader = std::make_unique<PartitionReader>(*made.log, *made.segments, context);
    return made;
  }

  AppendedBatch Append(ReadablePartition& to, const std::vector<Record>& records) {
    Buffer batch = *BuildRecordBatch(records, {.record_bytes_max = 256 << 20, .batch_bytes_max = 256 << 20});
    return to.log->TryAppend(batch).value();
  }
  AppendedBatch Append(const std::vector<Record>& records) { return Append(partition, records); }
  /// `count` records whose values name their offset, `bytes` long or a little more.
  AppendedBatch AppendNumbered(ReadablePartition& to, int count, std::size_t bytes = 20) {
    std::vector<Record> records;
    const std::int64_t base = to.log->offsets().log_end.value();
    for (int i = 0; i < count; ++i) {
      std::string value = "record " + std::to_string(base + i) + ' ';
      while (value.size() < bytes) value += static_cast<char>('a' + (value.size() * 7 + i) % 26);
      records.push_back({.timestamp_ms = 1'000'000 + base + i, .value = std::move(value)});
    }
    return Append(to, records);
  }
  AppendedBatch AppendNumbered(int count, std::size_t bytes = 20) { return AppendNumbered(partition, count, bytes); }

  /// Uploads [tiered_end, end) as one segment in an object of its own, and commits it.
  std::string Upload(ReadablePartition& of, Offset end) {
    const Offset durable_end = of.log->Sync({}).value();
    end = std::min(end, durable_end);
    SegmentBuilder builder(
        {.partition = of.row.key, .codec = options.codec, .block_bytes = options.segment_block_bytes});
    const HotBatches hot = of.log->ReadHot(of.log->offsets().tiered_end, end, UINT64_MAX).value();
    for (const SharedBytes& batch : hot.batches) (void)builder.Add(batch);
    const BuiltSegment built = builder.Finish().value();
    ObjectRow object{.key = "segments/" + std::to_string(++objects_made), .size_bytes = built.size_bytes};
    for (std::size_t i = 0; i < object.id.size(); ++i)
      object.id[i] = static_cast<std::uint8_t>(SeededRandom::Mix(objects_made * 100 + i));
    (void)Catalog(metadata).PrepareObject(object);
    (void)store.Put(object.key, built.pieces, PutMode::kIfAbsent);
    const SegmentCommit commit{.segment = {.partition = of.row.key,
                                           .base = of.log->offsets().tiered_end,
                                           .end = hot.next,
                                           .object = object.id,
                                           .byte_size = built.size_bytes,
                                           .records = built.records,
                                           .timestamp_min_ms = built.timestamp_min_ms,
                                           .timestamp_max_ms = built.timestamp_max_ms},
                               .epoch = of.row.epoch};
    const auto committed = Catalog(metadata).CommitSegments(object, {&commit, 1});
    if (!committed) return {};
    of.segments->Add(commit.segment);
    of.log->AdvanceTieredEnd(hot.next);
    return object.key;
  }
  std::string Upload() { return Upload(partition, Offset(INT64_MAX)); }
  /// Commits [tiered_end, end) as lost.
  void UploadGap(ReadablePartition& of, Offset end) {
    (void)of.log->Sync({});
    SegmentCommit commit;
    commit.segment.partition = of.row.key;
    commit.segment.base = of.log->offsets().tiered_end;
    commit.segment.end = end;
    commit.epoch = of.row.epoch;
    if (!Catalog(metadata).CommitSegments({}, {&commit, 1})) return;
    of.segments->Add(commit.segment);
    of.log->AdvanceTieredEnd(end);
  }
  /// Drops from the WAL and the tail what is in segments; the fixture's other partitions need not agree.
  void Recycle(ReadablePartition& of) {
    const WalPosition end = wal.end();  // before the question: what is appended from now on lies past it
    of.log->OnRecycled(of.log->OldestNeeded().value_or(end));
  }
  void Recycle() { Recycle(partition); }
  void Trim(ReadablePartition& of, Offset log_start) {
    (void)of.log->Sync({});
    (void)Catalog(metadata).AdvanceLogStart(of.row.key, of.row.epoch, log_start, 0);
    of.log->AdvanceLogStart(log_start);
    of.segments->DropBelow(log_start);
  }

  const ReadFixtureOptions options;
  SimClock clock;
  FakeWal wal;
  TailCache tail_cache;
  MemoryMetadataStore metadata;
  MemoryObjectStore store;
  BlockCache blocks;
  ReadMemory memory;
  ReadCounters counters;
  ReadContext context;
  std::uint64_t objects_made = 0;
  ReadablePartition partition;
};

inline std::vector<std::int64_t> OffsetsOf(const ReadResult& result) {
  std::vector<std::int64_t> offsets;
  for (const RecordView& record : result.records) offsets.push_back(record.offset.value());
  return offsets;
}

}  // namespace millrace
