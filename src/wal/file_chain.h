// Which files the log has, and what each is for. Bookkeeping in memory alone: no call reads, writes or syncs anything.
//
//   pool: rework ──(new generation)──► ready ──Roll──► chain: oldest … active ──NextToFree──► unfreed ──OnFreed──► gone
//            ▲                           ▲                                                          (or AddFreed)
//         too small, never begun        made by the builder
//
// The chain holds the line from `begin` on; its last file, the active one, takes frames. Generations are given out in
// ascending order and used in that order: recovery tells by them what came later.
//
// Threads: the log's mutex guards it. What of a WalFile only the leader may ask is asked by calls that say so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "wal/clean_close.h"
#include "wal/wal.h"
#include "wal/wal_file.h"

namespace millrace {

/// A file of the pool with the generation that its free header reserves.
struct ReadyWalFile {
  std::shared_ptr<WalDiskFile> disk;
  std::uint64_t generation = 0;
};

class FileChain {
 public:
  using FilePointer = std::shared_ptr<WalFile>;
  struct Limits {
    std::uint64_t bytes_max = 0;       // budget of all files
    std::uint64_t file_bytes_max = 0;  // bytes for frames in a file that no large frame asks for
  };
  /// Where the line enters a file.
  struct Entry {
    WalPosition base;            // of the file
    WalPosition at;              // the line leaves the file before it here; base or in the block that begins there
    WalPosition last_frame{-1};  // where the last frame before `at` begins
  };
  enum class Lack { kNothing, kFile, kBudget };

  explicit FileChain(const Limits& limits);

  // The chain.
  [[nodiscard]] const std::deque<FilePointer>& files() const { return files_; }
  [[nodiscard]] const FilePointer& active() const { return files_.back(); }
  /// Oldest position held. Precondition: there is a file.
  [[nodiscard]] WalPosition begin() const { return files_.front()->header().predecessor_end; }
  [[nodiscard]] bool Holds(const FilePointer& file) const;
  [[nodiscard]] FilePointer Named(std::string_view name) const;  // null: none
  /// The file that holds `position`, and where the line leaves it; the largest position for the active one.
  /// Precondition: begin() <= position.
  struct Holder {
    FilePointer file;
    WalPosition end;
  };
  [[nodiscard]] Holder HolderOf(WalPosition position) const;
  /// The file in which all of `extent` lies; null if no single one holds it.
  [[nodiscard]] FilePointer SoleHolderOf(WalExtent extent) const;

  void AddRecovered(FilePointer file);
  void Add(FilePointer file);
  /// What follows the active file; not yet in the chain.
  [[nodiscard]] FilePointer MakeNext(const ReadyWalFile& ready, const Entry& entry) const;
  /// What a roll to a file of at least `capacity_min` lacks.
  [[nodiscard]] Lack LackOfRoll(std::uint64_t capacity_min) const;
  /// The active file's last payload ends at `payload_end`; `ready` becomes the active one.
  void Roll(const ReadyWalFile& ready, WalPosition payload_end, const Entry& entry);
  /// The files from `entry.base` on give way to one of `ready`; returns them, newest first. Those never begun go back
  /// to the pool. Leader only.
  std::vector<FilePointer> Replace(const ReadyWalFile& ready, const Entry& entry);

  // Recycling.
  /// Whether NextToFree would name a file.
  [[nodiscard]] bool Frees(WalPosition position, WalPosition durable_end) const;
  /// The next file to make free or remove; null if there is none. The oldest one leaves the chain for it if all its
  /// payloads lie before `position` and the next file stands without it, after a crash too.
  [[nodiscard]] FilePointer NextToFree(WalPosition position, WalPosition durable_end);
  /// What NextToFree named is in the pool or removed.
  void OnFreed();
  /// It is out of the chain and could not be removed: the chain gets no shorter before it is gone.
  void AddUnfreed(FilePointer file) { unfreed_.push_back(std::move(file)); }
  /// Is there room in the budget for one more file in the pool?
  [[nodiscard]] bool PoolTakes(const WalDiskFile& disk) const;

  // The pool.
  void ContinueAt(std::uint64_t next_generation, std::uint64_t next_slot);
  [[nodiscard]] std::uint64_t TakeGeneration() { return next_generation_++; }
  [[nodiscard]] std::uint64_t TakeSlot() { return next_slot_++; }
  void AddRework(std::shared_ptr<WalDiskFile> disk) { rework_.push_back(std::move(disk)); }
  /// A file of the pool of at least `capacity_min` with a new generation, which it needs reserved before use.
  [[nodiscard]] std::optional<ReadyWalFile> TakeRework(std::uint64_t capacity_min);
  void AddBuilt(ReadyWalFile ready);
  void AddFreed(ReadyWalFile ready);
  [[nodiscard]] bool HasReady(std::uint64_t capacity_min) const { return FindReady(capacity_min) != nullptr; }
  /// The first that fits. Smaller ones before it go to rework: generations are used in order.
  [[nodiscard]] std::optional<ReadyWalFile> TakeReady(std::uint64_t capacity_min);
  /// Should a file be made ahead, when the line ends at `end`? Precondition: there is a file.
  [[nodiscard]] bool LacksFile(WalPosition end) const;
  /// Of the next file made: each is larger than the last, up to the limit.
  [[nodiscard]] std::uint64_t NextCapacity(std::uint64_t capacity_min) const;
  [[nodiscard]] std::size_t pool_files() const { return ready_.size() + rework_.size(); }

  /// Bytes of the files of the chain.
  [[nodiscard]] std::uint64_t HeldBytes() const;
  /// Of those that hold `position` or what lies behind it.
  [[nodiscard]] std::uint64_t HeldBytesFrom(WalPosition position) const;
  /// May the chain grow by so much?
  [[nodiscard]] bool BudgetAllows(std::uint64_t file_bytes) const;

  /// Where the line of a closed log ends, and its last frame begins; -1: it holds none.
  struct LineEnd {
    WalPosition last_frame, end;
  };
  /// What a closed log may say of its files; none if an opening should look at everything. Leader only.
  [[nodiscard]] std::optional<std::vector<WalCleanClose::File>> CleanFiles(const LineEnd& line) const;

 private:
  [[nodiscard]] const ReadyWalFile* FindReady(std::uint64_t capacity_min) const;
  [[nodiscard]] bool FrontIsDone(WalPosition position, WalPosition durable_end) const;
  [[nodiscard]] std::uint64_t PoolBytes() const;
  void NoteCapacity(std::uint64_t capacity);
  void AddReady(ReadyWalFile ready);
  /// Of what the log gave out itself: where recovered files lie, their own bytes say. Debug builds.
  void CheckInvariants() const;

  const Limits limits_;
  std::deque<FilePointer> files_;
  std::deque<ReadyWalFile> ready_;                    // generations ascending
  std::vector<std::shared_ptr<WalDiskFile>> rework_;  // need a generation before use
  std::deque<FilePointer> unfreed_;                   // not in the chain, not yet free
  std::uint64_t next_generation_ = 1;
  std::uint64_t next_slot_ = 1;
  std::uint64_t built_capacity_ = 0;  // of the last file made; the next is larger
  std::uint64_t rolls_ = 0;
};

}  // namespace millrace
