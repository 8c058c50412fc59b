// What tests of reads over a far store start from: a partition whose segments lie in a memory store that counts every
// request, with a disk cache and a prefetcher on a simulated clock and disk.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/limited_wait.h"
#include "base/mutex.h"
#include "cache/segment_cache.h"
#include "env/faulty_file_system.h"
#include "env/sim/sim_file_system.h"
#include "fetch/request_threads.h"
#include "prefetch/prefetcher.h"
#include "read/read_fixture.h"

namespace millrace {

inline constexpr std::uint64_t kMebibyte = 1 << 20;

/// Passes on to a store, noting what was asked of it; while shut, gets wait, whatever the limits of their callers, or
/// within them. Each get takes `delay` of simulated time.
class CountingStore final : public ObjectStore {
 public:
  explicit CountingStore(ObjectStore& inner) : inner_(inner) {}

  Result<void> Put(std::string_view key, std::span<const SharedBytes> pieces, PutMode mode) override {
    return inner_.Put(key, pieces, mode);
  }
  Result<SharedBytes> Get(std::string_view key, ByteRange range) override {
    MutexLock lock(mutex_);
    asked_.emplace_back(key, range);
    changed_.NotifyAll();
    if (obeys_ != nullptr && shut_) return Obey(key, range);
    while (shut_) changed_.Wait(mutex_);
    if (failures_ > 0) {
      --failures_;
      ++failed_;
      return Error(ErrorCode::kUnavailable, "503");
    }
    if (clock_ != nullptr) clock_->Advance(delay_);
    return inner_.Get(key, range);
  }
  Result<std::vector<SharedBytes>> PrefetchParts(std::string_view key, std::uint64_t offset,
                                                 std::span<const std::uint64_t> lengths) override {
    ++ahead_;
    return GetParts(key, offset, lengths);
  }
  Result<ObjectDescription> Head(std::string_view key) override { return inner_.Head(key); }
  Result<ObjectPage> List(std::string_view prefix, std::string_view continuation, std::size_t max) override {
    return inner_.List(prefix, continuation, max);
  }
  Result<void> Delete(std::string_view key) override { return inner_.Delete(key); }
  [[nodiscard]] std::string Describe() const override { return "counting"; }

  void Shut(bool shut) {
    MutexLock lock(mutex_);
    shut_ = shut;
    changed_.NotifyAll();
  }
  void AwaitGets(std::size_t count) {
    MutexLock lock(mutex_);
    while (asked_.size() < count) changed_.Wait(mutex_);
  }
  void AwaitBytes(std::uint64_t bytes) {
    MutexLock lock(mutex_);
    while (Sum() < bytes) changed_.Wait(mutex_);
  }
  void FailNext(int count) {
    MutexLock lock(mutex_);
    failures_ = count;
  }
  /// From now on a get that waits ends with the limits of its caller.
  void ObeyLimits(SimClock& clock) { obeys_ = &clock; }
  void Delay(SimClock& clock, std::chrono::nanoseconds delay) {
    clock_ = &clock;
    delay_ = delay;
  }
  [[nodiscard]] std::size_t gets() const {
    MutexLock lock(mutex_);
    return asked_.size();
  }
  [[nodiscard]] std::uint64_t bytes() const {
    MutexLock lock(mutex_);
    return Sum();
  }
  /// Of the gets, those for bytes no reader waited for.
  [[nodiscard]] std::size_t ahead() const { return ahead_; }
  /// Gets that failed as told.
  [[nodiscard]] int failed() const {
    MutexLock lock(mutex_);
    return failed_;
  }
  [[nodiscard]] std::vector<ReadExplanation::Range> ranges() const {
    MutexLock lock(mutex_);
    std::vector<ReadExplanation::Range> ranges;
    for (const auto& [key, range] : asked_) ranges.push_back({key, range.offset, range.length});
    return ranges;
  }
  /// Bytes that came more than once.
  [[nodiscard]] std::uint64_t bytes_again() const {
    MutexLock lock(mutex_);
    std::uint64_t again = 0;
    std::map<std::string, std::uint64_t, std::less<>> seen;
    auto sorted = asked_;
    std::ranges::sort(sorted, {}, [](const auto& ask) { return std::pair(ask.first, ask.second.offset); });
    for (const auto& [key, range] : sorted) {
      std::uint64_t& end = seen[key];
      again += std::min(range.length, end - std::min(end, range.offset));
      end = std::max(end, range.offset + range.length);
    }
    return again;
  }
  void Forget() {
    MutexLock lock(mutex_);
    asked_.clear();
    ahead_ = 0;
  }

 private:
  Result<SharedBytes> Obey(std::string_view key, ByteRange range) MR_REQUIRES(mutex_) {
    mutex_.Unlock();
    Result<void> within;
    {
      LimitedWait wait(mutex_, changed_, *obeys_);
      MutexLock lock(mutex_);
      while (shut_ && within) within = wait.For("the store", mutex_);
    }
    mutex_.Lock();
    if (!within) return std::move(within).error();
    return inner_.Get(key, range);
  }
  [[nodiscard]] std::uint64_t Sum() const MR_REQUIRES(mutex_) {
    std::uint64_t sum = 0;
    for (const auto& [key, range] : asked_) sum += range.length;
    return sum;
  }

  ObjectStore& inner_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<std::pair<std::string, ByteRange>> asked_ MR_GUARDED_BY(mutex_);
  bool shut_ MR_GUARDED_BY(mutex_) = false;
  int failures_ MR_GUARDED_BY(mutex_) = 0, failed_ MR_GUARDED_BY(mutex_) = 0;
  std::atomic<std::size_t> ahead_{0};
  SimClock* obeys_ = nullptr;
  SimClock* clock_ = nullptr;
  std::chrono::nanoseconds delay_{};
};

struct FarOptions {
  std::size_t threads = 0;  // 0: the test calls FetchOnce
  bool prefetch = true;
  std::uint64_t disk_bytes = 0;  // 0: no disk cache
  EvictionPolicy eviction = EvictionPolicy::kS3Fifo;
  std::uint64_t memory_bytes = 256 * kMebibyte, block_cache_bytes = 0;
};

/// A partition whose segments are far away.
struct FarFixture {
  explicit FarFixture(const FarOptions& options = {})
      : counting(store),
        f({.block_bytes_max = options.block_cache_bytes,
           .read_memory_max = options.memory_bytes,
           .codec = SegmentCodec::kNone,
           .objects = &counting}),
        disk(SegmentCache::Open({.directory = "/cache", .bytes_max = options.disk_bytes, .eviction = options.eviction},
                                faulty_files, f.clock)),
        prefetcher(f.context, {.threads = options.threads}) {
    f.context.segment_cache = disk.get();
    if (options.prefetch) f.context.prefetcher = &prefetcher;
    f.context.requests = &requests;
    Reopen();
  }
  ~FarFixture() {
    prefetcher.Close();
    requests.Close();
    EXPECT_EQ(f.context.flights.chunks.count(), 0u);
    f.partition.reader.reset();
    EXPECT_EQ(f.memory.bytes(), 0u);
    disk->Close();
  }

  void Reopen() {
    f.partition.reader.reset();
    f.partition.reader = std::make_unique<PartitionReader>(*f.partition.log, *f.partition.segments, f.context);
  }
  /// `count` segments of about `bytes` each, in objects of their own.
  void MakeSegments(int count, std::uint64_t bytes) {
    for (int i = 0; i < count; ++i) {
      for (std::uint64_t made = 0; made < bytes; made += 16 * kRecordBytes) f.AppendNumbered(16, kRecordBytes);
      const std::string object = f.Upload();
      ASSERT_TRUE(store.Put(object, std::vector{f.store.Get(object, {0, UINT64_MAX}).value()}, PutMode::kIfAbsent));
      stored_bytes += store.Head(object)->size_bytes;
    }
    f.Recycle();
    end = f.partition.log->offsets().tiered_end;
  }
  void RunPrefetch() {
    while (prefetcher.FetchOnce()) {
    }
  }
  /// Reads [from, to) in steps of `bytes`, checks every record, and lets the prefetcher work between.
  ReadExplanation Scan(Offset from, Offset to, std::uint64_t bytes = kMebibyte) {
    ReadExplanation sum;
    for (Offset at = from; at < to;) {
      const auto read = f.partition.reader->Read(at, {.bytes_max = bytes});
      EXPECT_TRUE(read) << read.error().ToString();
      if (!read || read->records.empty()) return sum;
      for (const RecordView& record : read->records) {
        EXPECT_EQ(record.offset, at);
        EXPECT_TRUE(record.value->starts_with("record " + std::to_string(at.value()) + ' '));
        at = at + 1;
      }
      sum.Add(read->explanation);
      peak_memory = std::max(peak_memory, f.memory.bytes());
      RunPrefetch();
      peak_memory = std::max(peak_memory, f.memory.bytes());
    }
    return sum;
  }
  [[nodiscard]] std::uint64_t used() const { return f.counters.prefetch_used_bytes; }
  [[nodiscard]] std::uint64_t wasted() const { return f.counters.prefetch_wasted_bytes; }

  static constexpr std::size_t kRecordBytes = 4000;
  static constexpr std::uint64_t kTailBytes = 96 << 10;  // fetched with an index, there may be data that comes again
  MemoryObjectStore store;
  CountingStore counting;
  SimFileSystem files;
  FaultyFileSystem faulty_files{files};  // under the disk cache
  ReadFixture f;
  std::unique_ptr<SegmentCache> disk;
  Prefetcher prefetcher;
  RequestThreads requests{f.clock};
  std::uint64_t stored_bytes = 0, peak_memory = 0;
  Offset end;
};

}  // namespace millrace
