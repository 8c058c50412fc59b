// Bytes of segments as they are stored, in chunks, as files on the local disk: what came over the network once need not
// come again, also after a restart. A cache and nothing more: whatever goes wrong with its disk is a miss.
//
//   Reserve ──► (download) ──► Admit: chunks/NAME.part, renamed to chunks/NAME ──► Read ... ──► evicted
//      │ room is made and counted        │ nothing is synced: a file that a power loss tore           │
//      ▼ before the first byte comes     ▼ fails its checksum and is a miss                           │
//   chunks/NAME.part: where something had to go, its file is written over ◄───────────────────────────┘
//
// Writing over a file costs a third of writing a new one: its pages and blocks are there already.
//
// Names are hashes of keys. docs/format/segment-cache.md is the grammar of the files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/gate.h"
#include "cache/chunk.h"
#include "cache/eviction_queue.h"
#include "cache/segment_cache_options.h"
#include "millrace/bytes.h"
#include "millrace/clock.h"
#include "millrace/file_system.h"
#include "millrace/object_store.h"

namespace millrace {

struct CacheFolder;

/// Safe from any thread; calls block on the local disk; no I/O under its lock. Nothing it does fails a read.
class SegmentCache {
 public:
  /// Room for one chunk that is about to come, given back unless it is admitted. Outlived by its cache.
  class Admission {
   public:
    Admission() = default;
    Admission(Admission&& other) noexcept { *this = std::move(other); }
    Admission& operator=(Admission&& other) noexcept;
    ~Admission() { Release(); }
    /// False: the chunk is not to be stored.
    explicit operator bool() const { return cache_ != nullptr; }
    void Release();

   private:
    friend class SegmentCache;
    SegmentCache* cache_ = nullptr;
    ChunkKey key_;
    std::uint32_t slot_ = 0;
    bool has_file_ = false;  // NAME.part is there: of an evicted chunk, to be written over, or half written
    Gate::Pass pass_;
  };

  enum class IfPresent { kRefuse, kReplace };
  struct Request {
    ChunkKey key;
    std::uint64_t bytes = 0;  // exactly what Admit will bring
    Lookup lookup = Lookup::kReader;
    InsertHint hint = InsertHint::kRandom;
    IfPresent if_present = IfPresent::kRefuse;
  };

  /// Takes over what is there: names and sizes now, one listing; each file's checksum when it is first read. Without a
  /// directory that can be made, listed and locked the cache is off. The references outlive it.
  static std::unique_ptr<SegmentCache> Open(SegmentCacheOptions options, FileSystem& file_system, Clock& clock);
  /// It was closed.
  ~SegmentCache();

  /// The bytes of `ranges`, counted from the chunk's first byte, each in memory of its own; no ranges: the whole chunk
  /// in one part, its checksum verified. Parts of a chunk are for the caller to verify, by the CRC of the blocks they
  /// are. Nothing: it is not there, it is damaged (and now gone), or its disk failed. A hit makes it the most recent.
  /// Cost: an open and a read per range.
  std::optional<std::vector<SharedBytes>> Read(const ChunkKey& key, std::span<const ByteRange> ranges, Lookup lookup,
                                               InsertHint hint = InsertHint::kRandom);
  /// Without counting, and nothing moves.
  [[nodiscard]] bool Contains(const ChunkKey& key) const;
  /// Makes room first, then counts it as used. Empty: too large, there already, another admission of the key is under
  /// way, what is there is being read or worth more than a stream's bytes, or no disk: fetch all the same, and do not
  /// store.
  Admission Reserve(const Request& request);
  /// Makes it visible, whole or not at all. Precondition: `pieces` together are as long as was reserved; `crc` is that
  /// of all of them, if it is known. False: it is not stored.
  bool Admit(Admission admission, std::span<const SharedBytes> pieces, std::optional<std::uint32_t> crc = std::nullopt);
  /// Its bytes proved wrong, whatever its checksum says.
  void Drop(const ChunkKey& key);

  [[nodiscard]] SegmentCacheStats Stats() const;
  /// Waits for calls and admissions in flight and writes down the order of eviction. May be called again.
  void Close();

 private:
  explicit SegmentCache(std::unique_ptr<CacheFolder> folder);
  std::unique_ptr<CacheFolder> folder_;
};

}  // namespace millrace
