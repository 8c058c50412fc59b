// Chunks on their way from the object store, and those that came ahead of their reader: one request for all readers
// and prefetchers who want a chunk.
//
//   absent ──claim──► fetching ──Arrive──► here ──Done, no stream holds it──► absent
//                        │                              └─ held: when the last stream lets go
//                        └──Fail──► absent (readers who wait for a reader's request get its error)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/mutex.h"
#include "cache/chunk.h"
#include "fetch/fetched_chunk.h"
#include "millrace/clock.h"
#include "millrace/result.h"

namespace millrace {

/// Safe from any thread. The leader of a chunk ends with Arrive and Done, or with Fail; no caller waits under a lock.
class ArrivingChunks {
 public:
  ArrivingChunks() = default;
  ~ArrivingChunks();
  ArrivingChunks(const ArrivingChunks&) = delete;
  ArrivingChunks& operator=(const ArrivingChunks&) = delete;

  struct Flight;
  /// A stream's interest in a chunk. Of none: nothing.
  using Hold = std::shared_ptr<Flight>;

  /// True: the caller now fetches it. False: it is here or on its way; Take it.
  bool TryLead(const ChunkKey& key);
  struct Claim {
    Hold hold;
    bool leads = false;
  };
  /// For a stream ahead of its reader: holds it either way.
  Claim ClaimAhead(const ChunkKey& key);

  /// Whether Take would wait now.
  [[nodiscard]] bool IsComing(const ChunkKey& key) const;
  struct Taken {
    ChunkPointer chunk;
    bool waited = false;
  };
  /// Waits for a chunk on its way. Nothing: it is not here, or no longer; look elsewhere, then try to lead. Errors: of
  /// the reader who asked for it; kTimeout, kClosed (the limits of this thread's RequestScope).
  std::optional<Result<Taken>> Take(const ChunkKey& key, Clock& clock);

  void Arrive(const ChunkKey& key, ChunkPointer chunk);
  /// Others who want it try themselves. But those who joined a reader's request get `error`, unless it came of that
  /// reader's own limits.
  void Fail(const ChunkKey& key, const Error& error);
  /// The leader found it elsewhere; the readers who wait look there too.
  void GiveUp(const ChunkKey& key);
  /// The leader needs it no longer: it is on disk, or used.
  void Done(const ChunkKey& key);
  void LetGo(const ChunkKey& key, Hold hold);

  /// Chunks fetching or here.
  [[nodiscard]] std::size_t count() const;

 private:
  struct KeyHash {
    std::size_t operator()(const ChunkKey& key) const noexcept;
  };
  using Flights = std::unordered_map<ChunkKey, Hold, KeyHash>;
  void End(const ChunkKey& key, const Error& error, bool others_try);

  mutable Mutex mutex_;
  CondVar landed_;
  Flights flights_ MR_GUARDED_BY(mutex_);
};

}  // namespace millrace
