// One file of the simulated disk: what a reader sees now, and what of it the disk would still have after power loss.
//
//   now[i]       the page cache's block; absent from `unsynced`: the disk has exactly this
//   unsynced[i]  the disk's own block, the versions written since, and whether a failed sync made the page look clean
//
// Blocks are counted and copied on write, so copying an inode copies pointers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace millrace {

inline constexpr std::uint64_t kSimBlockBytes = 4096;  // the unit that survives or not
inline constexpr std::uint64_t kSimSectorBytes = 512;  // the unit a block tears at

using SimBlock = std::array<std::byte, kSimBlockBytes>;
using SimBlockRef = std::shared_ptr<SimBlock>;  // null: a hole, zeros

/// Memory that a program stores into without telling the file system.
class SimMapping {
 public:
  explicit SimMapping(std::size_t size);
  ~SimMapping();
  SimMapping(const SimMapping&) = delete;
  SimMapping& operator=(const SimMapping&) = delete;
  [[nodiscard]] std::span<std::byte> bytes() const { return {memory_, size_}; }
  [[nodiscard]] std::uint64_t block_count() const { return (size_ + kSimBlockBytes - 1) / kSimBlockBytes; }
  [[nodiscard]] std::byte* block(std::uint64_t index) const { return memory_ + index * kSimBlockBytes; }

 private:
  std::byte* const memory_;
  const std::size_t size_;
};

struct SimLosses;

/// How much of what was not synced outlives one power loss.
class SimSurvival {
 public:
  /// 0: nothing does; 1: all does; others: a part, in a style and an order of their own.
  SimSurvival(std::uint64_t seed, SimLosses& losses);
  /// Does this block or name survive?
  bool Survives();
  bool Torn();
  std::uint64_t Below(std::uint64_t bound);
  [[nodiscard]] bool everything() const { return seed_ == 1; }
  [[nodiscard]] bool nothing() const { return seed_ == 0; }
  [[nodiscard]] SimLosses& losses() { return losses_; }

 private:
  std::uint64_t Next();
  const std::uint64_t seed_;
  std::uint64_t state_, odds_of_16_, tear_of_16_;
  SimLosses& losses_;
};

class SimInode {
 public:
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t allocated_blocks() const;
  void Read(std::uint64_t offset, std::span<std::byte> out);
  /// Writes as much as `free_blocks` new blocks allow; returns how many bytes.
  std::uint64_t Write(std::uint64_t offset, std::span<const std::byte> bytes, std::uint64_t free_blocks);
  /// How many blocks Allocate would add.
  [[nodiscard]] std::uint64_t MissingBlocks(std::uint64_t size) const;
  void Allocate(std::uint64_t size);
  void Truncate(std::uint64_t size);
  void Sync();
  /// The disk refused. Clean: the pages will not be written again until they change.
  void FailSync(bool pages_left_clean);
  /// Null: mapped already, and smaller.
  std::shared_ptr<SimMapping> Map(std::size_t size);
  /// The mapping's last user is gone, or the process is.
  void Unmap();
  /// Unmaps if no region is left.
  void ReleaseMapping() {
    if (mapping_.use_count() == 1) Unmap();
  }
  /// Mapping and handles are not ours: for a copy.
  void ForgetProcess() {
    mapping_.reset();
    opens = 0;
  }
  /// Takes over what was stored into the mapping.
  void PullMapping();
  /// Changes bytes in every version, as rot would.
  void Rot(std::uint64_t offset, std::span<const std::byte> bytes);
  /// The file after power loss.
  [[nodiscard]] SimInode AfterPowerLoss(SimSurvival& survival) const;

  int opens = 0;
  bool linked = false;  // has a name now

 private:
  struct Unsynced {
    SimBlockRef disk;
    std::vector<SimBlockRef> earlier;  // written since the sync and overwritten again; the disk may hold any of them
    bool lost = false;                 // looks clean after a failed sync
  };

  void PullBlock(std::uint64_t index);
  SimBlock& Change(std::uint64_t index);
  void Remember(std::uint64_t index);
  static SimBlockRef Choose(const Unsynced& unsynced, const SimBlockRef& now, SimSurvival& survival);

  std::vector<SimBlockRef> now_;
  std::uint64_t size_ = 0, disk_size_ = 0;
  std::map<std::uint64_t, Unsynced> unsynced_;
  std::shared_ptr<SimMapping> mapping_;
};

}  // namespace millrace
