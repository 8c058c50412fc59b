// A topic of which every record is in segments of a far store, and engines that have nothing of it at hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "bench/harness/far_store.h"
#include "bench/harness/opened_engine.h"
#include "millrace/millrace.h"

namespace millrace::bench {

struct TopicShape {
  std::size_t segments = 1;                // of each partition
  std::uint64_t segment_bytes = 63 << 20;  // of values; with what stands round them a segment stays below 64 MiB
  std::size_t batch_records = 256;
  std::int32_t partitions = 1;
  SegmentCodec codec = SegmentCodec::kLz4;
};

/// Record number `i` of every partition is number i % records.size() of `records`, which outlive it.
class StoredTopic {
 public:
  /// Appends and uploads it; the store answers at once meanwhile.
  StoredTopic(FarStore& store, std::filesystem::path directory, const TopicShape& shape,
              std::span<const Record> records);

  [[nodiscard]] EngineOptions Options() const;
  /// Over an empty cache, by a client of its own. One at a time.
  [[nodiscard]] std::unique_ptr<OpenedEngine> OpenCold(EngineOptions options) const;
  [[nodiscard]] std::unique_ptr<OpenedEngine> OpenCold() const { return OpenCold(Options()); }
  /// With what is in the cache from before.
  [[nodiscard]] std::unique_ptr<OpenedEngine> Reopen(EngineOptions options) const;

  [[nodiscard]] std::int64_t records() const { return records_; }  // of each partition
  [[nodiscard]] std::uint64_t payload_bytes() const { return payload_bytes_; }
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_; }
  [[nodiscard]] const std::vector<SegmentDescription>& segments() const { return segments_; }
  /// Dies unless `record` is what was appended as number `offset`.
  void Check(const RecordView& record, Offset offset) const;

 private:
  FarStore& store_;
  const std::filesystem::path directory_;
  const TopicShape shape_;
  const std::span<const Record> contents_;
  std::int64_t records_ = 0;
  std::uint64_t payload_bytes_ = 0, stored_bytes_ = 0;
  std::vector<SegmentDescription> segments_;
};

/// What a scan delivered.
struct Scanned {
  std::uint64_t records = 0, bytes = 0;  // of values
  ReadExplanation explanation;
  double seconds = 0;
};

/// Reads [begin, end) of a partition in order, `bytes_max` a read; dies at a gap.
Scanned Scan(Engine& engine, const TopicPartition& partition, Offset begin, Offset end,
             std::uint64_t bytes_max = 1 << 20);

}  // namespace millrace::bench
