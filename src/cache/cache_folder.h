// The disk cache's folder: what is known of its files under one lock, and what is done to the disk outside of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/gate.h"
#include "base/mutex.h"
#include "cache/chunk_file.h"
#include "cache/chunk_table.h"
#include "cache/disk_pause.h"
#include "cache/segment_cache_options.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/result.h"

namespace millrace {

/// For SegmentCache alone, which takes `mutex` where a call says so.
struct CacheFolder {
  /// Of the ceiling, what is set aside for the written order and its successor. Tiny caches go without.
  static constexpr std::uint64_t OrderRoom(std::uint64_t bytes_max) {
    return bytes_max < (64 << 10) ? 0 : std::max<std::uint64_t>(bytes_max / 512, 4 << 10);
  }
  static constexpr std::uint64_t kArrivalsPerOrder = 256;  // at least; a quarter of the entries when they are many

  CacheFolder(SegmentCacheOptions given, FileSystem& file_system, Clock& clock)
      : options(std::move(given)),
        chunks(options.directory / "chunks"),
        order(options.directory / "order"),
        disk(file_system),
        clock(clock),
        read_pause(clock),
        write_pause(clock),
        table(options.eviction, options.bytes_max - OrderRoom(options.bytes_max)) {}

  /// A chunk whose file is to be removed.
  struct Leaving {
    ChunkTable::Slot slot = 0;
    ChunkName name;
    std::uint64_t file_bytes = 0;  // of an evicted one
  };
  enum class IfItStays { kReturn, kLeftover };
  struct Leftover {
    std::string file;
    std::uint64_t bytes = 0;
  };

  /// Takes over what is on the disk; an error: the cache is off.
  Result<void> TakeOver();
  void WriteOrderIfDue();
  void WriteOrderNow();

  [[nodiscard]] std::filesystem::path PathOf(const ChunkName& name) const { return chunks / name.ToString(); }
  [[nodiscard]] std::filesystem::path PartOf(const ChunkName& name) const {
    return chunks / (name.ToString() + ".part");
  }
  /// Success: it is not there any more.
  Result<void> RemoveFile(const std::filesystem::path& path);
  /// Removes the files, then does the accounts.
  void Remove(const std::vector<Leaving>& leaving, IfItStays if_it_stays) MR_EXCLUDES(mutex);
  std::vector<bool> RemoveFiles(const std::vector<Leaving>& leaving) MR_EXCLUDES(mutex);
  /// True: all are gone.
  bool Settle(const std::vector<Leaving>& leaving, const std::vector<bool>& gone, IfItStays if_it_stays)
      MR_REQUIRES(mutex);
  /// Makes the file of an evicted chunk, cut to `file_bytes_max`, the part file of `name`. False: it is to be removed.
  bool Recycle(const Leaving& evicted, const ChunkName& name, std::uint64_t file_bytes_max) MR_EXCLUDES(mutex);
  struct Room {
    bool has_file = false;
  };
  /// The evicted go, the file of one of them becoming `name`'s part file, and what they leave is `slot`'s. Nothing: not
  /// all of them went, and `slot` is free again.
  std::optional<Room> TakeRoomOf(std::vector<Leaving> evicted, ChunkTable::Slot slot, const ChunkName& name,
                                 std::uint64_t file_bytes) MR_EXCLUDES(mutex);
  /// Gives back the room of a chunk that does not come, and removes what is there of its file, if anything.
  void Withdraw(ChunkTable::Slot slot, const ChunkName& name, bool has_file) MR_EXCLUDES(mutex);
  void DropNamed(const ChunkName& name) MR_EXCLUDES(mutex);
  void RetryLeftovers() MR_EXCLUDES(mutex);
  void CountMiss(Lookup lookup) MR_REQUIRES(mutex) {
    ++(lookup == Lookup::kReader ? stats.misses : stats.prefetch_misses);
  }
  void CountHit(ChunkTable::Slot slot, Lookup lookup) MR_REQUIRES(mutex);
  /// The folder may have been deleted under us: makes it again, and forgets what went with it.
  void Heal() MR_EXCLUDES(mutex);
  void OnFailure(DiskPause& pause, const Error& error) MR_EXCLUDES(mutex);
  void OnSuccess(DiskPause& pause) MR_EXCLUDES(mutex);

  // Constant after Open.
  const SegmentCacheOptions options;
  const std::filesystem::path chunks, order;
  FileSystem& disk;
  Clock& clock;
  bool on = false;
  std::optional<BackgroundFailure> off_failure;  // it is off for good

  // Own synchronization.
  Gate gate;
  DiskPause read_pause, write_pause;

  mutable Mutex mutex;
  ChunkTable table MR_GUARDED_BY(mutex);
  std::vector<Leftover> leftovers MR_GUARDED_BY(mutex);
  SegmentCacheStats stats MR_GUARDED_BY(mutex);  // what only grows
  std::optional<BackgroundFailure> read_failure MR_GUARDED_BY(mutex), write_failure MR_GUARDED_BY(mutex);
  std::uint64_t arrivals_since_order MR_GUARDED_BY(mutex) = 0;
  bool writing_order MR_GUARDED_BY(mutex) = false;
  bool retrying_leftovers MR_GUARDED_BY(mutex) = false;
  std::unique_ptr<FileLock> held MR_GUARDED_BY(mutex);  // the directory, against other engines
};

}  // namespace millrace
