// What the disk cache knows of its files: which there are, how large, who reads them, which goes next. Counts every
// byte from before it is on the disk until after it has gone. Does no I/O.
//
//   Claim ──► reserved ──► resident ──► leaving ──► (its file removed) Forget
//                │          ▲   │          │ ▲
//                └► Forget  │   └► doomed ─┼─┘ with its last reader
//                           └──────────────┘ the disk did not let it go: Return
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/chunk_file.h"
#include "cache/chunk_order.h"
#include "cache/eviction_queue.h"
#include "millrace/options.h"

namespace millrace {

/// Guarded by the cache's mutex.
class ChunkTable {
 public:
  using Slot = std::uint32_t;
  enum class State : std::uint8_t { kFree, kReserved, kResident, kDoomed, kLeaving };
  struct Chunk {
    ChunkName name;
    std::uint64_t file_bytes = 0;
    State state = State::kFree;
    InsertHint hint = InsertHint::kRandom;
    std::uint64_t coming_bytes = 0;  // of a stream's, from its room made until it arrives
    std::uint32_t pins = 0;          // reads in progress
    bool header_checked = false;     // in this process
    bool prefetched_unread = false;
    bool doomed = false;  // serves no read any more, and leaves with its last reader
  };

  ChunkTable(EvictionPolicy policy, std::uint64_t bytes_max)
      : bytes_max_(bytes_max), queue_(MakeEvictionQueue(policy, bytes_max)) {}

  [[nodiscard]] std::optional<Slot> Find(const ChunkName& name) const;
  [[nodiscard]] Chunk& at(Slot slot) { return chunks_[slot]; }

  /// A place for a name that has none; no bytes yet.
  Slot Claim(const ChunkName& name);
  /// The chunks that must go before `file_bytes` fit; they are leaving now. What is free counts for `slot` from now on,
  /// so that no other chunk takes it. Nothing: the chunks that would have to go are worth more. Precondition: CouldFit.
  std::optional<std::vector<Slot>> MakeRoom(Slot slot, std::uint64_t file_bytes);
  /// They have gone: all of it counts for `slot`, before any other chunk sees room.
  void Reserve(Slot slot, std::uint64_t file_bytes);
  /// Could so many bytes fit if every chunk that no reader reads went?
  [[nodiscard]] bool CouldFit(std::uint64_t bytes) const;
  /// Those that go first until no more than the ceiling is used, or nothing is left to go; they are leaving now. Those
  /// being read stay.
  std::vector<Slot> EvictSurplus() { return Victims(0, InsertHint::kRandom).value_or(std::vector<Slot>{}); }
  /// The file is whole and visible.
  void Arrive(Slot slot);
  /// Found on the disk.
  void Restore(const ChunkName& name, std::uint64_t file_bytes, std::optional<std::uint8_t> rank);
  void Pin(Slot slot);
  /// True: it was doomed, its last reader has gone, and it is leaving now.
  bool Unpin(Slot slot);
  void Touch(Slot slot, InsertHint hint) { queue_->OnHit(slot, hint); }
  /// True: it is leaving now. Otherwise it leaves with its last reader. Precondition: it is resident.
  bool Doom(Slot slot);
  /// Its file has gone, or never was.
  void Forget(Slot slot);
  /// Its file has not gone: resident again.
  void Return(Slot slot);
  /// Files that should have gone and have not, and are no chunks any more.
  void CountLeftover(std::uint64_t bytes) { used_ += bytes; }
  void ForgetLeftover(std::uint64_t bytes) { used_ -= bytes; }

  [[nodiscard]] std::vector<RankedChunk> InOrder() const;
  [[nodiscard]] std::vector<ChunkName> Residents() const;
  /// Bytes on the disk, and those that have been promised room there.
  [[nodiscard]] std::uint64_t used() const { return used_; }
  [[nodiscard]] std::uint64_t entries() const { return entries_; }
  [[nodiscard]] std::uint64_t bytes_max() const { return bytes_max_; }

 private:
  Slot FreeSlot();
  /// The chunks that go for `bytes` more, or none.
  std::optional<std::vector<Slot>> Victims(std::uint64_t bytes, InsertHint for_whom);
  [[nodiscard]] EvictionQueue::Entry EntryOf(Slot slot) const;
  void LeaveQueue(Slot slot, EvictionQueue::Removal removal);
  void EnterQueue(Slot slot, std::optional<std::uint8_t> rank);

  const std::uint64_t bytes_max_;
  std::unique_ptr<EvictionQueue> queue_;
  std::unordered_map<ChunkName, Slot, ChunkNameHash> slot_of_;
  std::vector<Chunk> chunks_;
  std::vector<Slot> free_;
  std::uint64_t used_ = 0;            // all of it
  std::uint64_t resident_ = 0;        // in the queue
  std::uint64_t pinned_ = 0;          // of these, being read
  std::uint64_t entries_ = 0;         // in the queue
  std::uint64_t streams_coming_ = 0;  // coming_bytes of all
};

}  // namespace millrace
